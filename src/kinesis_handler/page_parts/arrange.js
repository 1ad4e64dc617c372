/**
 * Put nodes below an element, in their order, and no others. What stands where it should is not touched: moving an
 * element stops its transitions.
 *
 * The focus stays on the element that has it; if that is gone, it goes to `heir` instead of getting lost.
 */
export function arrange(parent, nodes, heir) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const wanted = new Set(nodes);
  for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, place) => {
    const there = parent.childNodes[place] ?? null;
    if (there !== node) parent.insertBefore(node, there);
  });
  if (focused === null || document.activeElement === focused) return;
  (parent.contains(focused) ? focused : heir).focus({ preventScroll: true });
}
