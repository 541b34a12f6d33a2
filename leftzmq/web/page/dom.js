// Elements, made by calls: what a name or a sentence says reaches the page as text and as nothing else.

/** Return an element. props: attributes; `on` has handlers by event; null and false leave one out. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") {
      for (const [kind, handler] of Object.entries(value)) node.addEventListener(kind, handler);
    } else if (value !== null && value !== false && value !== undefined) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Return an element of an SVG. */
export function s(tag, props = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** Set the text of an element, only where it is another one: a selection and a screen reader stay. */
export function text(node, value) {
  const said = String(value);
  if (node.textContent !== said) node.textContent = said;
  return node;
}

export function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
  return node;
}

export function attribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
  return node;
}

/**
 * Make the children of `parent` those of `items`, in this order. An item that was there keeps its
 * element, and with it the focus. make(item): {node, update(item)}
 */
export function list(parent, items, keyOf, make) {
  const parts = parent.parts ?? (parent.parts = new Map());
  const wanted = new Map(items.map((item) => [keyOf(item), item]));
  for (const [key, part] of parts) {
    if (!wanted.has(key)) {
      part.node.remove();
      parts.delete(key);
    }
  }
  const focused = document.activeElement;
  let after = null;
  for (const [key, item] of wanted) {
    let part = parts.get(key);
    if (part === undefined) parts.set(key, (part = make(item)));
    part.update(item);
    const next = after === null ? parent.firstChild : after.nextSibling;
    if (next !== part.node) parent.insertBefore(part.node, next);
    after = part.node;
  }
  // What is moved loses the focus.
  if (document.activeElement !== focused && parent.contains(focused)) focused.focus({ preventScroll: true });
}

export function clear(node) {
  node.replaceChildren();
  node.parts = new Map();
  return node;
}
