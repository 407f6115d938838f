import type { ReactElement } from "react";

import { DefinitionList } from "../../view/DefinitionList";
import type { SlideAnswer, SlideDetail } from "../api/types";
import { texts } from "./texts";

export function SlideProvenance({
  slide,
  answer,
}: {
  slide: SlideDetail;
  answer: SlideAnswer;
}): ReactElement {
  return (
    <section className="border-t border-line pt-4">
      <h3 className="heading mb-2">{texts.provenance.title}</h3>
      <DefinitionList facts={factsOf(slide, answer)} />
    </section>
  );
}

export function factsOf(slide: SlideDetail, answer: SlideAnswer): [string, string][] {
  const { model, mpp, size, tiles, thresholds } = answer;
  const names = texts.provenance;
  const { scored = 0, visited = 0 } = tiles;
  return [
    [names.model, model.id],
    [names.revision, model.revision],
    [names.device, model.device],
    [names.calibration, model.calibration ?? names.none],
    [names.slideCalibration, answer.slide_calibration ?? names.none],
    [names.rule, answer.rule],
    [names.thresholds, names.cuts(thresholds.lower, thresholds.upper)],
    [names.scale, names.mpp(mpp.x, mpp.y, mpp.source)],
    [names.size, names.pixels(...size)],
    [names.reader, answer.reader],
    [names.tiles, names.scored(scored, visited)],
    [names.version, answer.healer],
    [names.read, slide.updated === null ? "" : new Date(slide.updated).toLocaleString("en-GB")],
  ];
}
