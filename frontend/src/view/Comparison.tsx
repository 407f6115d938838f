import { type ReactElement, useState } from "react";

import type { Item } from "../session/item";
import { texts } from "../texts";
import { ViewSync } from "../viewer/viewSync";
import { Picture } from "./Picture";
import { Result } from "./Result";

/** Two tiles side by side, their views moving together unless that is unticked. */
export function Comparison({
  reference,
  other,
}: {
  reference: Item;
  other: Item | undefined;
}): ReactElement {
  const [link] = useState(() => new ViewSync());
  const [linked, setLinked] = useState(true);
  const setEnabled = (value: boolean): void => {
    link.setEnabled(value);
    setLinked(value);
  };
  return (
    <div className="relative flex flex-1 flex-col lg:min-h-0 lg:overflow-y-auto">
      <label className="flex items-center gap-2 border-b border-line px-4 py-2 text-sm">
        <input
          type="checkbox"
          className="size-4 accent-accent"
          checked={linked}
          onChange={(event) => {
            setEnabled(event.target.checked);
          }}
        />
        {texts.compare.link}
      </label>
      <div className="grid flex-1 grid-cols-2 divide-x divide-line">
        <Side title={texts.compare.reference} item={reference} link={link} />
        {other ? (
          <Side title="" item={other} link={link} />
        ) : (
          <p className="p-6 text-center text-quiet">{texts.compare.choose}</p>
        )}
      </div>
    </div>
  );
}

function Side({ title, item, link }: { title: string; item: Item; link: ViewSync }): ReactElement {
  return (
    <section aria-label={item.name} className="min-w-0">
      <p className="truncate px-3 py-2 text-sm font-medium">
        {title && <span className="font-normal text-quiet">{title} </span>}
        <span title={item.name}>{item.name}</span>
      </p>
      <div className="h-[30vh] sm:h-[40vh]">
        <Picture item={item} link={link} />
      </div>
      <div className="p-2 sm:p-3">
        <Result item={item} />
      </div>
    </section>
  );
}
