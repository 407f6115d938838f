import { memo, type ReactElement } from "react";

import { canRetry, isOpen, type Item } from "../session/item";
import { cancel, retry } from "../session/queue";
import { positionInQueue, select, useSession } from "../session/store";
import { texts } from "../texts";
import { Icon } from "./icons";
import { RowBadges } from "./RowBadges";
import { RowButton } from "./RowButton";
import { percent } from "./numbers";
import { VERDICT_COLOURS } from "./verdictColours";

interface Props {
  item: Item;
  selected: boolean;
  pinned: boolean;
  /** Whether a tile further up is the same file. */
  duplicate: boolean;
  /** Whether Tab stops here: at one row of the list, the arrow keys go on from it. */
  reachable: boolean;
}

export const Row = memo(function Row({
  item,
  selected,
  pinned,
  duplicate,
  reachable,
}: Props): ReactElement {
  const background = selected ? "bg-accent-soft" : "hover:bg-sunken";
  return (
    <li
      data-row={item.id}
      className={`flex items-center rounded-lg [content-visibility:auto] [contain-intrinsic-size:auto_3.5rem] ${background}`}
    >
      <button
        type="button"
        tabIndex={reachable ? 0 : -1}
        aria-current={selected}
        onClick={() => {
          select(item.id);
        }}
        className="flex min-h-14 min-w-0 flex-1 items-center gap-3 rounded-lg p-1.5 text-left"
      >
        <Thumbnail item={item} />
        <span className="min-w-0 flex-1">
          <span className="block truncate text-sm font-medium" title={item.name}>
            {item.name}
          </span>
          <span className="flex min-h-5 flex-wrap items-center gap-x-1.5 text-xs text-quiet">
            <RowStatus item={item} />
            <RowBadges item={item} duplicate={duplicate} />
            {item.review.mark && (
              <span className="truncate">· {texts.worklist.marked[item.review.mark]}</span>
            )}
            {pinned && <Icon name="compare" className="size-4 text-accent" />}
          </span>
        </span>
      </button>
      <RowAction item={item} reachable={reachable} />
    </li>
  );
});

function Thumbnail({ item }: { item: Item }): ReactElement {
  return (
    <span className="grid size-12 shrink-0 place-items-center overflow-hidden rounded-md bg-sunken text-quiet">
      {item.thumbnail ? (
        <img src={item.thumbnail} alt="" className="size-full object-cover" />
      ) : (
        <Icon name={item.phase.is === "failed" ? "failed" : "open"} />
      )}
    </span>
  );
}

/** Verdict and probability, or what is happening instead. */
function RowStatus({ item }: { item: Item }): ReactElement {
  const { verdict, phase } = item;
  if (verdict) {
    const tone = VERDICT_COLOURS[verdict.verdict];
    return (
      <>
        <span className={`flex items-center gap-1 font-semibold ${tone.text}`}>
          <Icon name={verdict.verdict} className="size-4" />
          {texts.verdict.words[verdict.verdict]}
        </span>
        <span className="tabular-nums">{percent(verdict.probability)}</span>
      </>
    );
  }
  if (phase.is === "failed") return <span className="truncate">{phase.failure.title}</span>;
  return <PhaseText item={item} />;
}

export function PhaseText({ item: { id, phase } }: { item: Item }): ReactElement {
  const stopped = useSession(
    (session) =>
      session.connection === "lost" || session.pause !== null || session.health?.ready === false,
  );
  const line = useSession(() => (phase.is === "waiting" ? positionInQueue(id) : 0));
  switch (phase.is) {
    case "waiting":
      return <span>{stopped ? texts.phase.paused : texts.phase.waiting(line)}</span>;
    case "uploading":
      return <span className="tabular-nums">{texts.phase.uploading(phase.share)}</span>;
    case "queued":
      return <span>{texts.phase.queued(phase.position)}</span>;
    case "done":
    case "failed":
      return <span />;
    default:
      return <span>{texts.phase[phase.is]}</span>;
  }
}

function RowAction({ item, reachable }: { item: Item; reachable: boolean }): ReactElement | null {
  const open = isOpen(item);
  if (!open && !canRetry(item)) return null;
  const name = open ? texts.action.cancel : texts.action.retry;
  return (
    <RowButton
      name={name}
      of={item.name}
      icon={open ? "close" : "retry"}
      reachable={reachable}
      act={() => {
        if (open) cancel(item.id);
        else retry(item.id);
      }}
    />
  );
}
