import type { ReactElement } from "react";

import { Icon, type IconName } from "../../view/icons";
import type { Progress, Slide } from "../api/types";
import { needsScale, slideSentenceOf } from "../problems";
import { ScaleForm } from "../worklist/ScaleForm";
import { cancel, isUnderWay, read } from "./reading";
import { texts } from "./texts";

const ICONS = {
  unread: "open",
  queued: "open",
  reading: "open",
  read: "open",
  stale: "warning",
  failed: "failed",
  cancelled: "failed",
} as const satisfies Record<Slide["state"], IconName>;
const STARTS = {
  unread: texts.state.start,
  read: texts.state.again,
  stale: texts.state.again,
  failed: texts.state.tryAgain,
  cancelled: texts.state.goOn,
} as const;

/** A slide that is not simply read: what it waits for, how far it is, or why it stopped. */
export function ReadingCard({ slide }: { slide: Slide }): ReactElement {
  const { state, progress } = slide;
  const ground = state === "stale" ? "bg-unsure-soft" : "border border-line bg-surface";
  return (
    <section className={`rounded-xl p-4 ${ground}`} aria-busy={state === "reading"}>
      <h3 className="flex items-start gap-2 text-lg font-semibold">
        <Icon name={ICONS[state]} className="mt-0.5 size-6 text-quiet" />
        {state === "failed" ? (slide.problem?.title ?? texts.state.failed) : texts.state[state]}
      </h3>
      <p className="mt-1">{meaning(slide)}</p>
      {state === "reading" && progress && <ProgressBar progress={progress} />}
      <div className="mt-4 flex flex-wrap gap-2">
        {isUnderWay(slide) ? <Cancel /> : <Start slide={slide} />}
      </div>
    </section>
  );
}

function meaning({ state, problem, stale_reason }: Slide): string {
  if (state === "failed") return problem ? slideSentenceOf(problem) : "";
  if (state === "stale") return stale_reason ?? "";
  if (state === "reading" || state === "read") return "";
  return texts.state[`${state}Means`];
}

function ProgressBar({ progress }: { progress: Progress }): ReactElement {
  const { done, total, seconds_left, tiles_per_second } = progress;
  const facts = [
    total > 0 && texts.state.progress(done, total),
    tiles_per_second !== null && tiles_per_second > 0 && texts.state.speed(tiles_per_second),
    seconds_left !== null && texts.state.left(seconds_left),
  ].filter((fact) => typeof fact === "string");
  return (
    <div className="mt-3">
      <progress
        className="reading-progress h-2.5 w-full"
        aria-label={texts.state.reading}
        value={total > 0 ? done / total : undefined}
      />
      <p className="mt-1 text-sm text-quiet tabular-nums">{facts.join(" · ")}</p>
    </div>
  );
}

function Cancel(): ReactElement {
  return (
    <button type="button" className="button" onClick={() => void cancel()}>
      <Icon name="close" className="size-4" />
      {texts.state.cancel}
    </button>
  );
}

function Start({ slide }: { slide: Slide }): ReactElement {
  const { state } = slide;
  if (needsScale(slide)) return <ScaleForm onScale={(mpp) => void read(mpp)} />;
  if (state === "queued" || state === "reading") return <Cancel />;
  return (
    <button type="button" className="button button-main" onClick={() => void read()}>
      <Icon
        name={state === "unread" || state === "cancelled" ? "next" : "retry"}
        className="size-4"
      />
      {STARTS[state]}
    </button>
  );
}
