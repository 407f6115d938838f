import type { ReactElement } from "react";

import { texts } from "../../texts";
import { Icon, type IconName } from "../../view/icons";
import { percent } from "../../view/numbers";
import { VERDICT_COLOURS } from "../../view/verdictColours";
import type { Answer } from "../../api/types";
import type { Slide, SlideState, Unanswered } from "../api/types";
import { slideTexts } from "../texts";

export const nameOf = ({ id, name }: Pick<Slide, "id" | "name">): string =>
  name ?? slideTexts.nameless(id);

/** Without the folder, where that is the case beside it. */
export function shortNameOf(slide: Slide): string {
  const name = nameOf(slide);
  return slide.case !== null && name.startsWith(`${slide.case}/`)
    ? name.slice(slide.case.length + 1)
    : name;
}

/** Verdict and score, or what is happening instead; what a plain verdict would hide beside it. */
export function SlideStatus({ slide }: { slide: Slide }): ReactElement {
  const { verdict, unanswered, probability, state, second_answer: second } = slide;
  const answered = verdict !== null && (state === "read" || state === "stale");
  const tone = answered ? VERDICT_COLOURS[verdict].text : "";
  return (
    <>
      {answered && (
        <>
          <span className={`flex items-center gap-1 font-semibold ${tone}`}>
            <Icon name={verdict} className="size-4" />
            {wordsOf(verdict, unanswered)}
          </span>
          {probability !== null && <span className="tabular-nums">{percent(probability)}</span>}
        </>
      )}
      {answered && second?.mark && (
        <span className="flex items-center gap-1 font-semibold text-precursor">
          <Icon name="precursor" className="size-4" />
          {texts.verdict.likelyShort[second.mark]}
        </span>
      )}
      {state !== "read" && <StateBadge slide={slide} />}
    </>
  );
}

/** "Indeterminate" would pass for a doubtful reading where nothing was there to read. */
const wordsOf = (verdict: Answer, unanswered: Unanswered | null): string =>
  unanswered ? slideTexts.unanswered[unanswered] : texts.verdict.words[verdict];

const BADGES: Partial<Record<SlideState, { icon: IconName; tone: string }>> = {
  stale: { icon: "warning", tone: "text-unsure font-semibold" },
  failed: { icon: "failed", tone: "text-ink" },
};

function StateBadge({ slide: { state, progress, problem } }: { slide: Slide }): ReactElement {
  const badge = BADGES[state];
  return (
    <span className={`flex min-w-0 items-center gap-1 ${badge?.tone ?? ""}`}>
      {badge && <Icon name={badge.icon} className="size-4" />}
      <span className="min-w-0 truncate tabular-nums">
        {state === "reading" && progress
          ? slideTexts.reading(progress.done, progress.total, progress.seconds_left)
          : state === "failed" && problem
            ? problem.title
            : slideTexts.states[state]}
      </span>
    </span>
  );
}
