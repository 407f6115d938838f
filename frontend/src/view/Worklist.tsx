import { type ReactElement, useMemo } from "react";

import { findOriginals } from "../session/duplicates";
import { canRetry } from "../session/item";
import { DEFAULT_VIEW, visibleItems, countByCategory } from "../session/worklist";
import { cancelAll, retryAll } from "../session/queue";
import { setState, useSession } from "../session/store";
import { texts } from "../texts";
import { openFileDialog } from "./fileInputs";
import { Filters } from "./Filters";
import { Icon } from "./icons";
import { Row } from "./Row";
import { WorklistFoot } from "./WorklistFoot";

export function Worklist(): ReactElement {
  const items = useSession((session) => session.items);
  const view = useSession((session) => session.view);
  const selected = useSession((session) => session.selected);
  const pinned = useSession((session) => session.pinned);
  const rows = useMemo(() => visibleItems(items, view), [items, view]);
  const duplicates = useMemo(() => findOriginals(items), [items]);
  const reachable = rows.some((item) => item.id === selected) ? selected : rows[0]?.id;
  return (
    <>
      <div className="border-b border-line bg-surface p-3">
        <Progress />
        <Filters />
      </div>
      {rows.length === 0 && <NothingFits />}
      <ol
        className="relative min-h-0 flex-1 p-2 lg:overflow-y-auto"
        aria-label={texts.worklist.title}
      >
        {rows.map((item) => (
          <Row
            key={item.id}
            item={item}
            selected={item.id === selected}
            pinned={item.id === pinned}
            duplicate={duplicates.has(item.id)}
            reachable={item.id === reachable}
          />
        ))}
      </ol>
      <WorklistFoot />
    </>
  );
}

function NothingFits(): ReactElement {
  return (
    <div className="flex flex-col items-center gap-3 p-8 text-sm text-quiet">
      <p>{texts.worklist.nothingFits}</p>
      <button
        type="button"
        className="button"
        onClick={() => {
          setState({ view: DEFAULT_VIEW });
        }}
      >
        {texts.worklist.showAll}
      </button>
    </div>
  );
}

function Progress(): ReactElement {
  const items = useSession((session) => session.items);
  const skippedFiles = useSession((session) => session.skippedFiles);
  const { all, open } = countByCategory(items);
  const again = items.filter(canRetry).length;
  return (
    <>
      <div className="flex min-h-9 items-center gap-2">
        <h2 className="min-w-0 flex-1 text-sm font-medium tabular-nums">
          {texts.worklist.progress(all - open, all)}
        </h2>
        {open > 0 && (
          <button type="button" className="button" onClick={cancelAll}>
            {texts.worklist.cancelAll}
          </button>
        )}
        {open === 0 && again > 1 && (
          <button type="button" className="button" onClick={retryAll}>
            {texts.worklist.retryAll}
          </button>
        )}
        <button
          type="button"
          className="button"
          onClick={() => {
            openFileDialog("files");
          }}
        >
          <Icon name="add" className="size-4" />
          {texts.intake.more}
        </button>
      </div>
      <div className="mt-2 h-1 overflow-hidden rounded-full bg-sunken" aria-hidden="true">
        <div
          className="h-full bg-accent motion-safe:transition-[width]"
          style={{ width: `${(100 * (all - open)) / all}%` }}
        />
      </div>
      {skippedFiles > 0 && (
        <p role="status" className="mt-2 text-xs text-quiet">
          {texts.intake.skippedFiles(skippedFiles)}
        </p>
      )}
    </>
  );
}
