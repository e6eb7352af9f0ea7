"""The first decision on a request: which listener, which rule, and what that rule does.

Not modelled: WAF, authentication, and everything before HTTP (TLS, HTTP/2).
"""

from __future__ import annotations

from collections.abc import Iterator

from netpath.balancing.forwarding import answer_for, page, refusal, transformed, verdict_for
from netpath.balancing.listener import Action, FixedResponse, Forward, Listener, ListenerRule, Redirect
from netpath.balancing.objects import LoadBalancer
from netpath.errors import InputError
from netpath.packet import Address, Endpoint, Hop, HttpRequest, HttpResponse, LazySteps, Packet, Step, Verdict

STATION = "load balancer"


def decide(
    balancer: LoadBalancer,
    listener_port: int,
    request: HttpRequest,
    client: Endpoint,
    received: Packet | None = None,
) -> tuple[Hop, Action | HttpResponse | None]:
    """What the listener on a port does with a request from `client` (the connection's own source).

    A `Forward` is yet to be carried out (`pick`); an `HttpResponse` is the answer; None means that nothing
    listens on the port, so that no connection comes about at all.
    """
    listener = balancer.listener_on(listener_port)
    if listener is None:
        return no_listener(balancer, listener_port, received), None
    wrong = refusal(request)
    if wrong is not None:
        verdict = verdict_for(wrong, f"{listener.protocol} listener on port {listener.port}")
        return Hop(STATION, balancer.name, received, verdict), answer_for(wrong)
    rule = listener.rule_for(request, client.address)
    steps = LazySteps(lambda: _rules_consulted(listener, rule, request, client.address))
    action = rule.action
    if isinstance(action, Forward):
        return _to_targets(balancer, request, rule, action, steps, received)
    if isinstance(action, Redirect):
        answer = page(action.status, ("Location", action.location(request, listener.protocol, listener.port)))
        return Hop(STATION, balancer.name, received, Verdict("REDIRECT", rule.text), steps=steps), answer
    return Hop(STATION, balancer.name, received, Verdict("FIXED_RESPONSE", rule.text), steps=steps), _fixed(action)


def _to_targets(
    balancer: LoadBalancer,
    request: HttpRequest,
    rule: ListenerRule,
    action: Forward,
    steps: LazySteps,
    received: Packet | None,
) -> tuple[Hop, Action | HttpResponse]:
    if action.transforms:
        try:
            transformed(request, action.transforms)
        except InputError:
            verdict = verdict_for("bad transform", rule.text)
            return Hop(STATION, balancer.name, received, verdict, steps=steps), answer_for("bad transform")
    return Hop(STATION, balancer.name, received, Verdict("FORWARD", rule.text), steps=steps), action


def no_listener(balancer: LoadBalancer, port: int, received: Packet | None) -> Hop:
    """That no listener is on a port, and which ports have one."""
    listeners = balancer.listeners

    def steps() -> Iterator[Step]:
        for listener in listeners:
            why = f"the client asks port {port}, the listener is on {listener.port}"
            yield Step(f"{listener.protocol} listener on port {listener.port}", False, why, listener.arn)

    verdict = Verdict("ELBV2_LISTENERS_MISMATCH", f"listeners: {', '.join(str(one.port) for one in listeners)}")
    return Hop(STATION, balancer.name, received, verdict, steps=LazySteps(steps))


def _rules_consulted(listener: Listener, taken: ListenerRule, request: HttpRequest, client: Address) -> Iterator[Step]:
    for rule in listener.rules:  # pragma: no branch
        yield rule.step(request, client)
        if rule is taken:
            return


def _fixed(action: FixedResponse) -> HttpResponse:
    kind = (("Content-Type", action.content_type),) if action.content_type else ()
    length = ("Content-Length", str(len(action.message_body.encode())))
    server = page(action.status_code).headers[0]
    return HttpResponse(action.status_code, server[1], (server, *kind, length), action.message_body)
