import type { ReactElement } from "react";

import { texts as shared } from "../../texts";
import { Icon } from "../../view/icons";
import { ProbabilityScale } from "../../view/ProbabilityScale";
import { SecondAnswerNote } from "../../view/SecondAnswerNote";
import { VERDICT_COLOURS } from "../../view/verdictColours";
import { VerdictHeading } from "../../view/VerdictHeading";
import type { SlideAnswer, SlideDetail } from "../api/types";
import { slideTexts } from "../texts";
import { texts } from "./texts";

/** The slide's verdict, and all that must not be overlooked beside it. */
export function SlideVerdict({
  slide,
  answer,
}: {
  slide: SlideDetail;
  answer: SlideAnswer;
}): ReactElement {
  const { verdict, unanswered, probability, calibrated, thresholds } = answer;
  const { second_answer, first_verdict } = answer;
  const { words } = shared.verdict;
  return (
    <section className={`rounded-xl p-4 ${groundOf(answer)}`}>
      <VerdictHeading
        verdict={verdict}
        {...(unanswered && { words: slideTexts.unanswered[unanswered] })}
      />
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
      {second_answer && <SecondAnswerNote answer={second_answer} />}
      {probability !== null && (
        <ProbabilityScale
          name={texts.verdict.score}
          probability={probability}
          thresholds={thresholds}
          calibrated={calibrated}
          caution={texts.verdict.uncalibrated}
        />
      )}
      {unanswered !== "no_tissue" && <Figures slide={slide} />}
    </section>
  );
}

/** As on a tile's card: what a reader must not overlook speaks louder than the verdict. */
function groundOf({ verdict, warnings, second_answer }: SlideAnswer): string {
  if (warnings.length > 0) return VERDICT_COLOURS.indeterminate.soft;
  return second_answer?.mark ? "bg-precursor-soft" : VERDICT_COLOURS[verdict].soft;
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
