// @ts-check
import { h, refill, whenLive } from "./kit.js";

/** @param {import("./kit.js").Context} context */
function render({ model, el }) {
  const line = h(
    "p",
    { class: "np-notice", role: "status" },
    "In a running notebook, controls that take any world and any request stand here. They call netpath, so they need a kernel.",
  );
  const problem = h("p", { class: "np-problem", role: "alert" });
  el.append(h("div", { class: "netpath-widget netpath-notice" }, line, problem));
  const tell = () => refill(problem, model.get("problem"));
  model.on("change:problem", tell);
  tell();
  whenLive(model, () => line.remove());
  return () => model.off("change:problem", tell);
}

export default { render };
