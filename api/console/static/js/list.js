// A table body in line with changing items: cells change in place, and no row moves,
// comes or goes while the pointer or the keyboard's focus is among them.

/**
 * @template Item, Row
 * @param {HTMLTableSectionElement} body
 * @param {{key: (item: Item) => string, make: (item: Item) => Row & {element: Element},
 *   fill: (row: Row, item: Item) => void, onHeld?: (items: Item[]) => void}} how
 */
export function liveList(body, { key, make, fill, onHeld = () => {} }) {
  const rows = new Map(); // key -> row
  let shown = [];

  // A click leaves its button focused, but not visibly: the mouse has moved on.
  const busy = () => body.matches(":hover") || body.querySelector(":focus-visible") !== null || document.querySelector("dialog[open]") !== null;

  /** Show these items in this order. `gone(key)`: how an item that left the list is now. */
  function draw(items = shown, { force = false, gone = () => null } = {}) {
    shown = items;
    const wanted = new Map(items.map((item) => [key(item), item]));
    const still = !force && rows.size > 0 && busy();
    for (const [id, row] of rows) {
      if (wanted.has(id)) fill(row, wanted.get(id));
      else if (still) {
        const last = gone(id);
        if (last) fill(row, last);
        row.element.dataset.gone = "yes";
      } else {
        row.element.remove();
        rows.delete(id);
      }
    }
    const held = [];
    for (const [id, item] of wanted) {
      const row = rows.get(id);
      if (row) delete row.element.dataset.gone;
      else if (still) held.push(item);
      else {
        const fresh = make(item);
        rows.set(id, fresh);
        fill(fresh, item);
      }
    }
    if (!still) arrange([...wanted.keys()].map((id) => rows.get(id).element));
    onHeld(held);
  }

  function arrange(elements) {
    const focused = document.activeElement;
    elements.forEach((element, i) => {
      if (body.children[i] !== element) body.insertBefore(element, body.children[i] ?? null);
    });
    if (body.contains(focused) && document.activeElement !== focused) focused.focus({ preventScroll: true });
  }

  body.addEventListener("pointerleave", () => draw());
  body.addEventListener("focusout", () => setTimeout(draw, 0));
  return { draw, size: () => rows.size, row: (id) => rows.get(id) };
}

/** Arrow keys go from row to row, to the first thing in it that can be used. */
export function arrowKeys(body) {
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const to = step && event.target.closest("tr")?.[step];
    if (!to) return;
    event.preventDefault();
    (to.querySelector("button:not(:disabled, [hidden])") ?? to.querySelector("a"))?.focus();
  });
}
