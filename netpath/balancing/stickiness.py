"""Cookies with which a client comes back to the target, or the target group, that it had before.

============  =========================  ==========================================================
cookie        says                       set
============  =========================  ==========================================================
AWSALB        which target               with each answer, if the group's stickiness is `lb_cookie`
AWSALBAPP-0   which target               when the target sets its own cookie (`app_cookie`)
AWSALBTG      which target group         with each answer, if the rule's action says so
============  =========================  ==========================================================

Source: ELB user guide, Sticky sessions; Forward actions.

Not modelled: the encryption (the cookies are encoded only); AWSALBAPP-1 to -3, into which a long one overflows.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from email.utils import formatdate

from netpath.balancing.listener import Forward
from netpath.balancing.objects import Pool, Target, TargetGroup
from netpath.choice import Choose
from netpath.packet import HttpRequest, HttpResponse

_WEEK = 604_800


def _cookies(request: HttpRequest) -> dict[str, str]:
    """The request's cookies (RFC 6265 §5.4), by name."""
    header = request.header("Cookie")
    pairs = (pair.strip().partition("=") for pair in header.split(";")) if header else ()
    return {name: value for name, _, value in pairs}


def _seal(*parts: object) -> str:
    """What stands for AWS's encryption: unreadable to a person, but for anyone who decodes it."""
    return urlsafe_b64encode("\n".join(map(str, parts)).encode()).decode().rstrip("=")


def _unseal(value: str | None, count: int) -> list[str] | None:
    """The parts again; None for a cookie that can't be decoded."""
    try:
        parts = urlsafe_b64decode((value or "") + "=" * (-len(value or "") % 4)).decode().split("\n")
    except (binascii.Error, ValueError):
        return None
    return parts if len(parts) == count and parts[-1].isdigit() else None


def _set_cookie(names: tuple[str, str], value: str, expires: float) -> tuple[str, ...]:
    """A cookie, and its twin that a browser also sends across origins."""
    when = formatdate(expires, usegmt=True)
    plain, cors = names
    return f"{plain}={value}; Expires={when}; Path=/", f"{cors}={value}; Expires={when}; Path=/; SameSite=None; Secure"


def group_for(action: Forward, request: HttpRequest, choose: Choose, now: float) -> tuple[str | None, tuple[str, ...]]:
    """The ARN of the group to use (None if none can be), and the cookies that keep it so."""
    groups, duration = action.groups, action.stickiness_seconds
    if len(groups) == 1 and groups[0].weight and duration is None:
        return groups[0].arn, ()
    if not any(group.weight for group in groups):
        return None, ()
    arn = _remembered_group(action, request, now) if duration is not None else None
    if arn is None:
        arn = groups[choose("which target group?", [group.weight for group in groups])].arn
    if duration is None:
        return arn, ()
    return arn, _set_cookie(("AWSALBTG", "AWSALBTGCORS"), _seal(arn, int(now + duration)), now + duration)


def _remembered_group(action: Forward, request: HttpRequest, now: float) -> str | None:
    cookies = _cookies(request)
    parts = _unseal(cookies.get("AWSALBTG", cookies.get("AWSALBTGCORS")), 2)
    if parts is None or int(parts[1]) < now or parts[0] not in {group.arn for group in action.groups}:
        return None
    return parts[0]


def remembered_target(
    group: TargetGroup, open_to: Pool, request: HttpRequest, now: float, alone: bool
) -> Target | None:
    """The target that the request's cookie names, if the node still uses it.

    Not with cross-zone off, and an application's cookie not with several groups: AWS supports neither.
    """
    cookies = _cookies(request)
    if group.attributes.stickiness == "lb_cookie":
        value = cookies.get("AWSALB", cookies.get("AWSALBCORS"))
    else:
        value = cookies.get("AWSALBAPP-0") if alone and group.attributes.app_cookie_name in cookies else None
    parts = _unseal(value, 4)
    if parts is None or not group.cross_zone or parts[0] != group.arn or int(parts[3]) < now:
        return None
    return next((t for t in open_to.usable if t.id == parts[1] and str(t.endpoint) == parts[2]), None)


def stickiness_cookies(group: TargetGroup, target: Target, now: float) -> tuple[str, ...]:
    if group.attributes.stickiness != "lb_cookie" or not group.cross_zone:
        return ()
    expires = now + group.attributes.lb_cookie_seconds
    return _set_cookie(("AWSALB", "AWSALBCORS"), _seal(group.arn, target.id, target.endpoint, int(expires)), expires)


def application_cookies(
    group: TargetGroup, target: Target, request: HttpRequest, response: HttpResponse, now: float
) -> tuple[str, ...]:
    """The cookies that application-based stickiness adds to a target's answer.

    The first time the target must set its own cookie; after that the balancer renews AWSALBAPP each time.
    """
    name = group.attributes.app_cookie_name
    if group.attributes.stickiness != "app_cookie" or not group.cross_zone:
        return ()
    set_now = any(k.lower() == "set-cookie" and v.partition("=")[0].strip() == name for k, v in response.headers)
    if not set_now and not {name, "AWSALBAPP-0"} <= _cookies(request).keys():
        return ()
    sealed = _seal(group.arn, target.id, target.endpoint, int(now + group.attributes.app_cookie_seconds))
    return (f"AWSALBAPP-0={sealed}; Expires={formatdate(now + _WEEK, usegmt=True)}; Path=/",)
