// Which folder is meant.

import { h, show } from "./dom.js";
import { shown } from "./format.js";

/** A labelled choice among folders, which is hidden where there is but one. changed(): another one. */
export function chooser(changed = () => {}) {
  const select = h("select", { on: { change: () => changed() } });
  const node = h("label", {}, "Folder", select);
  let known = null;
  return {
    node,
    value: () => select.value,
    /** Return whether the choice is another one now. */
    update(ids) {
      const said = ids.join("\n");
      if (said === known) return false;
      known = said;
      const before = select.value;
      select.replaceChildren(...ids.map((id) => h("option", { value: id }, shown(id))));
      if (ids.includes(before)) select.value = before;
      show(node, ids.length > 1);
      return select.value !== before;
    },
  };
}
