import type { ReactElement } from "react";

import type { Prediction, Verdict } from "../api/types";
import { texts } from "../texts";
import { Facts } from "./Facts";
import { factsOf } from "./origins";

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
      <Facts facts={factsOf(verdict, answer)} />
    </section>
  );
}
