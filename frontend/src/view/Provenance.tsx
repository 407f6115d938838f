import type { ReactElement } from "react";

import type { Prediction, Verdict } from "../api/types";
import { texts } from "../texts";
import { DefinitionList } from "./DefinitionList";
import { provenanceFacts } from "./provenance";

export function Provenance({
  verdict,
  answer,
}: {
  verdict: Verdict;
  answer: Prediction | undefined;
}): ReactElement {
  return (
    <section className="border-t border-line pt-4">
      <h3 className="heading mb-2">{texts.provenance.title}</h3>
      <DefinitionList facts={provenanceFacts(verdict, answer)} />
    </section>
  );
}
