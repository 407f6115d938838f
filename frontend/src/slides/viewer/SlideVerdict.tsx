import type { ReactElement } from "react";

import { texts as shared } from "../../texts";
import { Icon } from "../../view/icons";
import { percent } from "../../view/numbers";
import { Scale } from "../../view/Scale";
import { VERDICT_COLOURS } from "../../view/verdictColours";
import type { SecondAnswer } from "../../api/types";
import type { SlideAnswer, SlideDetail } from "../api/types";
import { texts } from "./texts";

/** The slide's verdict, and all that must not be overlooked beside it. */
export function SlideVerdict({
  slide,
  answer,
}: {
  slide: SlideDetail;
  answer: SlideAnswer;
}): ReactElement {
  const { verdict, probability, calibrated, second_answer, first_verdict, thresholds } = answer;
  const { words } = shared.verdict;
  return (
    <section className={`rounded-xl p-4 ${groundOf(answer)}`}>
      <h3
        className={`flex items-center gap-2.5 text-2xl font-semibold ${VERDICT_COLOURS[verdict].text}`}
      >
        <Icon name={verdict} className="size-8" />
        {words[verdict]}
      </h3>
      <p className="mt-1">{answer.sentence}</p>
      {first_verdict !== verdict && (
        <p className="mt-1 font-semibold">{texts.verdict.firstVerdict(words[first_verdict])}</p>
      )}
      {answer.warnings.map((warning) => (
        <p key={warning} className="mt-3 flex gap-2 rounded-lg bg-surface p-3 text-sm">
          <Icon name="warning" className="text-unsure" />
          {warning}
        </p>
      ))}
      {second_answer && <Second answer={second_answer} />}
      <p className="mt-4 flex flex-wrap items-baseline justify-between gap-x-3 text-sm">
        <span>
          {texts.verdict.score} (
          {calibrated ? shared.verdict.calibrated : shared.verdict.uncalibrated})
        </span>
        <strong className="text-lg tabular-nums">{percent(probability)}</strong>
      </p>
      <Scale probability={probability} thresholds={thresholds} />
      {!calibrated && <p className="mt-3 text-sm">{texts.verdict.uncalibrated}</p>}
      <Figures slide={slide} />
    </section>
  );
}

/** As on a tile's card: what a reader must not overlook speaks louder than the verdict. */
function groundOf({ verdict, warnings, second_answer }: SlideAnswer): string {
  if (warnings.length > 0) return VERDICT_COLOURS.indeterminate.soft;
  return second_answer?.mark ? "bg-precursor-soft" : VERDICT_COLOURS[verdict].soft;
}

function Second({ answer }: { answer: SecondAnswer }): ReactElement {
  const { second, words, likely } = shared.verdict;
  const figures = `${second}: ${words[answer.verdict]}, ${percent(answer.probability)}`;
  if (!answer.mark)
    return (
      <p className="mt-3 text-sm">
        {answer.sentence} {figures}.
      </p>
    );
  return (
    <div className="mt-3 rounded-lg border-2 border-precursor bg-surface p-3">
      <h4 className="flex items-center gap-2 text-lg/6 font-semibold text-precursor">
        <Icon name="precursor" className="size-6" />
        {likely[answer.mark]}
      </h4>
      <p className="mt-1">{answer.sentence}</p>
      <p className="mt-1 text-sm text-quiet">{figures}.</p>
    </div>
  );
}

function Figures({ slide }: { slide: SlideDetail }): ReactElement {
  const { positive_mm2, read_share } = slide;
  const facts = [
    positive_mm2 !== null && texts.verdict.positive(positive_mm2),
    read_share !== null && texts.verdict.read(read_share),
  ].filter((fact) => typeof fact === "string");
  return (
    <ul className="mt-3 grid gap-0.5 text-sm tabular-nums">
      {facts.map((fact) => (
        <li key={fact}>{fact}</li>
      ))}
    </ul>
  );
}
