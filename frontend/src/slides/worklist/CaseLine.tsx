import { type ReactElement, useMemo } from "react";

import { useSession } from "../../session/store";
import { slideTexts } from "../texts";
import { tilesOfCase } from "./cases";
import { changeFilter, useSlides } from "./store";

const { cases: words } = slideTexts;

/** One line on all that is known of a case: its slides, and the tiles of this session. */
export function CaseLine({ name }: { name: string }): ReactElement {
  const summary = useSlides((session) => session.cases.get(name));
  const narrowed = useSlides((session) => session.filter.case === name);
  const items = useSession((session) => session.items);
  const tiles = useMemo(() => tilesOfCase(items, name), [items, name]);
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
      <p className="min-w-0 flex-1 basis-48 wrap-anywhere">
        <span className="font-semibold">{words.title(name)}</span>
        {summary && <span className="text-quiet"> · {words.summary(summary)}</span>}
        {tiles && (
          <span className="text-quiet">
            {" "}
            · {words.tiles(tiles.count, tiles.worst, tiles.disagreements)}
          </span>
        )}
      </p>
      <button
        type="button"
        className="button min-h-7 text-xs"
        onClick={() => {
          changeFilter({ case: narrowed ? null : name });
        }}
      >
        {narrowed ? words.all : words.only}
      </button>
    </div>
  );
}
