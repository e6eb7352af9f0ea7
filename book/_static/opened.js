// @ts-check
/**
 * The theme makes whatever is wider than its place reachable by keyboard, but it looks when a page is loaded or its
 * window resized, and what is folded away has no width then. It looks again whenever something is opened.
 */
document.addEventListener("toggle", () => window.dispatchEvent(new Event("resize")), { capture: true });
