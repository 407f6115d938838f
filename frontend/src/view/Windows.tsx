import type { ReactElement } from "react";

import type { Window } from "../api/types";
import { countWindows } from "../session/windows";
import { texts } from "../texts";
import { Icon } from "./icons";
import { percent } from "./numbers";
import { VERDICT_COLOURS } from "./verdictColours";

/** What was read in each part of a wide field, in words; the viewer draws the same over the picture. */
export function Windows({ windows }: { windows: readonly Window[] }): ReactElement | null {
  if (windows.length === 0) return null;
  const { yes, indeterminate, no, highest } = countWindows(windows);
  const ranked = [...windows].sort((one, other) => other.probability - one.probability);
  return (
    <section>
      <h3 className="heading mb-1">{texts.windows.title}</h3>
      <p className="text-sm">{texts.windows.summary(yes, indeterminate, no, highest)}</p>
      <details className="mt-1 text-sm">
        <summary className="text-quiet">{texts.windows.all}</summary>
        <ol className="mt-1 grid gap-1">
          {ranked.map(({ x, y, width, height, probability, verdict }) => (
            <li key={`${x},${y}`} className="flex flex-wrap items-center justify-between gap-x-3">
              <span className="tabular-nums">{texts.windows.one(x, y, width, height)}</span>
              <span
                className={`flex items-center gap-1 font-semibold tabular-nums ${VERDICT_COLOURS[verdict].text}`}
              >
                <Icon name={verdict} className="size-4" />
                {texts.verdict.words[verdict]} {percent(probability)}
              </span>
            </li>
          ))}
        </ol>
      </details>
    </section>
  );
}
