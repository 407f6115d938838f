import { type ReactElement, useMemo } from "react";

import { type Item } from "../session/item";
import { visibleItems } from "../session/worklist";
import { removeTiles } from "../session/removal";
import { setState, useSession } from "../session/store";
import { texts } from "../texts";
import { report, togglePin } from "./actions";
import { Comparison } from "./Comparison";
import { Icon } from "./icons";
import { selectAdjacent } from "./keyboard";
import { Result } from "./Result";
import { Picture } from "./Picture";

/** The selected tile: its picture beside its result, or beside another tile's. */
export function TileDetail(): ReactElement | null {
  const item = useSession((session) => session.items.find(({ id }) => id === session.selected));
  const pinned = useSession((session) => session.items.find(({ id }) => id === session.pinned));
  if (!item) return null;
  return (
    <div className="flex min-h-full flex-col lg:h-full">
      <Bar item={item} pinned={pinned !== undefined} />
      {pinned ? (
        <Comparison reference={pinned} other={item.id === pinned.id ? undefined : item} />
      ) : (
        <div className="relative grid flex-1 content-start lg:min-h-0 lg:overflow-y-auto wide:grid-cols-[minmax(0,1fr)_26rem] wide:content-stretch wide:overflow-hidden">
          <div className="h-[min(60vh,110vw)] min-h-64 lg:h-[45vh] wide:h-auto">
            <Picture item={item} />
          </div>
          <div className="relative p-4 wide:overflow-y-auto wide:border-l wide:border-line">
            <Result item={item} />
          </div>
        </div>
      )}
    </div>
  );
}

function Bar({ item, pinned }: { item: Item; pinned: boolean }): ReactElement {
  const { action } = texts;
  return (
    <div className="flex flex-wrap items-center gap-2 border-b border-line bg-surface p-3">
      <button
        type="button"
        className="button lg:hidden"
        onClick={() => {
          setState({ showsDetail: false });
        }}
      >
        <Icon name="back" className="size-4" />
        {action.back}
      </button>
      <Steps selected={item.id} />
      <h2
        className="order-last line-clamp-2 min-w-0 flex-1 basis-full text-sm font-semibold wrap-anywhere sm:order-none sm:basis-48"
        title={item.name}
      >
        {item.name}
      </h2>
      <span className="flex flex-wrap gap-2">
        <button
          type="button"
          className="button button-icon w-auto px-2.5"
          aria-pressed={pinned}
          disabled={!item.verdict && !pinned}
          onClick={() => {
            togglePin(item.id);
          }}
        >
          <Icon name="compare" className="size-4" />
          <span className="max-md:sr-only">{pinned ? action.stopComparing : action.compare}</span>
        </button>
        <button
          type="button"
          className="button button-icon w-auto px-2.5"
          disabled={!item.verdict}
          onClick={() => void report(item)}
        >
          <Icon name="report" className="size-4" />
          <span className="max-md:sr-only">{action.report}</span>
        </button>
        <button
          type="button"
          className="button button-icon"
          aria-label={action.of(action.remove, item.name)}
          title={action.remove}
          onClick={() => {
            removeTiles([item.id]);
          }}
        >
          <Icon name="trash" className="size-4" />
        </button>
      </span>
    </div>
  );
}

function Steps({ selected }: { selected: string }): ReactElement {
  const items = useSession((session) => session.items);
  const view = useSession((session) => session.view);
  const rows = useMemo(() => visibleItems(items, view), [items, view]);
  const at = rows.findIndex((item) => item.id === selected);
  const { previous, next } = texts.action;
  return (
    <span className="flex">
      <button
        type="button"
        className="button button-icon rounded-r-none"
        aria-label={previous}
        title={previous}
        disabled={at === 0}
        onClick={() => {
          selectAdjacent(-1);
        }}
      >
        <Icon name="back" className="size-4" />
      </button>
      <button
        type="button"
        className="button button-icon -ml-px rounded-l-none"
        aria-label={next}
        title={next}
        disabled={at === rows.length - 1}
        onClick={() => {
          selectAdjacent(1);
        }}
      >
        <Icon name="next" className="size-4" />
      </button>
    </span>
  );
}
