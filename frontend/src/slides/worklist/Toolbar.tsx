import type { ReactElement } from "react";

import { exportName } from "../../export/download";
import { SLIDE_PATHS } from "../api/paths";
import type { ReadingQueue, StateCounts } from "../api/types";
import { slideTexts } from "../texts";
import { cancelAll, download, readAll, setPaused } from "./actions";
import { allSlides, leftToRead, READ_ALL, useSlides } from "./store";

const { progress: words } = slideTexts;

/** How far the folder is read, and what can be done about all of it. */
export function Toolbar(): ReactElement | null {
  const counts = useSlides((session) => session.counts);
  const queue = useSlides((session) => session.queue);
  if (!counts || !queue) return null;
  const all = allSlides(counts);
  const waiting = counts.queued + counts.reading;
  const shares = [
    [counts.read, "bg-accent"],
    [counts.failed, "bg-unsure"],
  ] as const;
  return (
    <>
      <div className="flex min-h-9 flex-wrap items-center gap-2">
        <h2 className="min-w-0 flex-1 basis-32 text-sm font-medium tabular-nums">
          {words.title(counts.read, all)}
          <span className="block text-xs font-normal text-quiet">
            {detailsOf(counts, queue).join(" · ") || "\u00a0"}
          </span>
        </h2>
        {waiting > 0 ? <UnderWay paused={queue.paused} /> : <Idle counts={counts} />}
      </div>
      <div className="mt-2 flex h-1 overflow-hidden rounded-full bg-sunken" aria-hidden="true">
        {shares.map(([count, tone]) => (
          <div
            key={tone}
            className={`h-full ${tone} motion-safe:transition-[width]`}
            style={{ width: `${(100 * count) / Math.max(1, all)}%` }}
          />
        ))}
      </div>
      <p role="status" className="sr-only">
        {waiting === 0 && counts.read + counts.failed === all && all > 0
          ? words.finished(counts.read, counts.failed)
          : ""}
      </p>
    </>
  );
}

function detailsOf(counts: StateCounts, queue: ReadingQueue): string[] {
  const waiting = counts.queued + counts.reading;
  return [
    ...(counts.failed > 0 ? [words.failed(counts.failed)] : []),
    ...(waiting > 0 ? [words.waiting(waiting)] : []),
    ...(queue.paused ? [words.paused] : []),
    ...(waiting > 0 && !queue.paused && queue.seconds_left !== null
      ? [words.left(queue.seconds_left)]
      : []),
  ];
}

function UnderWay({ paused }: { paused: boolean }): ReactElement {
  return (
    <>
      <button type="button" className="button" onClick={() => void setPaused(!paused)}>
        {paused ? words.resume : words.pause}
      </button>
      <button type="button" className="button" onClick={() => void cancelAll()}>
        {words.cancelAll}
      </button>
    </>
  );
}

function Idle({ counts }: { counts: StateCounts }): ReactElement {
  const left = leftToRead(counts);
  return (
    <>
      {left > 0 && (
        <button type="button" className="button button-main" onClick={() => void readAll(READ_ALL)}>
          {words.readAll(left)}
        </button>
      )}
      {left === 0 && counts.failed > 0 && (
        <button type="button" className="button" onClick={() => void readAll(["failed"])}>
          {words.retryFailed(counts.failed)}
        </button>
      )}
    </>
  );
}

export function ListFoot(): ReactElement {
  return (
    <footer className="border-t border-line bg-surface p-3">
      <button
        type="button"
        className="button min-h-8"
        onClick={() => void download(SLIDE_PATHS.reviewsCsv, exportName("slide-words", "csv"))}
      >
        {slideTexts.review.export}
      </button>
    </footer>
  );
}
