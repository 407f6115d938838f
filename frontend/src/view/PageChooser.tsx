import { type ReactElement, useState } from "react";

import { isOpen, type Item } from "../session/item";
import { choosePage } from "../session/pages";
import { retry } from "../session/queue";
import { texts } from "../texts";

/**
 * Which page of a file of several is answered. A choice is drawn at once, unless an answer stands
 * beside the picture: that one stays with its own page until the other is sent.
 */
export function PageChooser({ item }: { item: Item }): ReactElement | null {
  const { id, pages = 1, page = 1, verdict } = item;
  const [chosen, setChosen] = useState(page);
  if (pages < 2 || isOpen(item)) return null;
  const numbers = Array.from({ length: pages }, (_, index) => index + 1);
  return (
    <section className="flex flex-wrap items-center gap-2 rounded-lg bg-sunken p-3 text-sm">
      <p className="basis-full">{texts.pages.several(pages)}</p>
      <select
        className="field"
        aria-label={texts.pages.choose}
        value={chosen}
        onChange={(event) => {
          const number = Number(event.target.value);
          setChosen(number);
          if (!verdict) choosePage(id, number);
        }}
      >
        {numbers.map((number) => (
          <option key={number} value={number}>
            {texts.pages.page(number)}
          </option>
        ))}
      </select>
      <button
        type="button"
        className="button"
        disabled={verdict && chosen === page}
        onClick={() => {
          choosePage(id, chosen);
          retry(id);
        }}
      >
        {texts.pages.answer}
      </button>
    </section>
  );
}
