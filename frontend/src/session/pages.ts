import { updatePreview } from "./intake";
import type { Item } from "./item";
import { itemOf, setState } from "./store";

/** Choose a page of a file of several, counted from 1, and draw it. */
export function choosePage(id: string, page: number): void {
  if (itemOf(id)?.page === page) return;
  setState(({ items }) => ({
    items: items.map((item) => (item.id === id ? withPage(item, page) : item)),
  }));
  void updatePreview(id);
}

/** "Answer anyway" was meant for another page. */
function withPage(item: Item, page: number): Item {
  const changed = { ...item, page };
  delete changed.gate;
  return changed;
}
