import type { ReactElement } from "react";

import { sentenceOf } from "../../session/problems";
import { Icon } from "../../view/icons";
import { Coverage } from "./Coverage";
import { Downloads } from "./Downloads";
import { Gallery } from "./Gallery";
import { ReaderWord } from "./ReaderWord";
import { ReadingCard } from "./ReadingCard";
import { SecondModel } from "./SecondModel";
import { SlideProvenance } from "./SlideProvenance";
import { SlideVerdict } from "./SlideVerdict";
import { useSlideSession } from "./session";
import { texts } from "./texts";

/** What is known of the slide, beside its picture. */
export function SlidePanel(): ReactElement {
  const slide = useSlideSession((session) => session.slide);
  if (!slide)
    return (
      <div className="grid gap-5">
        <Refusal />
      </div>
    );
  const { answer } = slide;
  return (
    <div className="mx-auto grid max-w-3xl grid-cols-1 gap-5">
      <Refusal />
      {slide.state !== "read" && <ReadingCard slide={slide} />}
      {answer && <SlideVerdict slide={slide} answer={answer} />}
      <ReaderWord region={null} />
      {!slide.unanswered && <Gallery />}
      {answer && (
        <>
          {answer.cascade && <SecondModel cascade={answer.cascade} />}
          {answer.coverage.tissue_mm2 > 0 && <Coverage coverage={answer.coverage} />}
          <Downloads />
          <SlideProvenance slide={slide} answer={answer} />
        </>
      )}
    </div>
  );
}

function Refusal(): ReactElement | null {
  const problem = useSlideSession((session) => session.problem);
  const waiting = useSlideSession(({ slide, lost }) => slide === null && !lost);
  if (!problem) return waiting ? <p className="text-quiet">{texts.opening}</p> : null;
  return (
    <section role="alert" className="rounded-xl border border-line bg-surface p-4">
      <h3 className="flex items-start gap-2 text-lg font-semibold">
        <Icon name="failed" className="mt-0.5 size-6 text-quiet" />
        {problem.title}
      </h3>
      <p className="mt-2">{sentenceOf(problem)}</p>
    </section>
  );
}
