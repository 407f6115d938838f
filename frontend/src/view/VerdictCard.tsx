import type { ReactElement } from "react";

import type { Verdict } from "../api/types";
import { texts } from "../texts";
import { Icon } from "./icons";
import { percent } from "./numbers";
import { Scale } from "./Scale";
import { TONES } from "./tones";

/** The verdict in words, colour and shape, and where its probability lies. */
export function VerdictCard({ verdict }: { verdict: Verdict }): ReactElement {
  const tone = TONES[verdict.verdict];
  const { words, sentences, probability, calibrated, uncalibrated, uncalibratedMeans, because } = texts.verdict;
  return (
    <section className={`rounded-xl p-4 ${tone.soft}`}>
      <h3 className={`flex items-center gap-2.5 text-2xl font-semibold ${tone.text}`}>
        <Icon name={verdict.verdict} className="size-8" />
        {words[verdict.verdict]}
      </h3>
      <p className="mt-1">{sentences[verdict.verdict]}</p>
      {verdict.reason && <p className="mt-1 text-sm">{because(verdict.reason)}</p>}
      <p className="mt-4 flex flex-wrap items-baseline justify-between gap-x-3 text-sm">
        <span>{probability} ({verdict.calibrated ? calibrated : uncalibrated})</span>
        <strong className="text-lg tabular-nums">{percent(verdict.probability)}</strong>
      </p>
      <Scale probability={verdict.probability} thresholds={verdict.model.thresholds} />
      {!verdict.calibrated && <p className="mt-3 text-sm">{uncalibratedMeans}</p>}
    </section>
  );
}
