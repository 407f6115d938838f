import type { ReactElement } from "react";

import type { SecondAnswer, Verdict } from "../api/types";
import { positiveWindows, isAgainstAdvice, isCalibrated } from "../session/reliability";
import { texts } from "../texts";
import { Icon } from "./icons";
import { percent } from "./numbers";
import { Scale } from "./Scale";
import { cardBackground, VERDICT_COLOURS } from "./verdictColours";

/** The verdict in words, colour and shape, and where its probability lies. */
export function VerdictCard({ verdict }: { verdict: Verdict }): ReactElement {
  const { words, sentences, probability, calibrated, uncalibrated, uncalibratedMeans, because } =
    texts.verdict;
  const second = verdict.second_answer;
  const hidden = positiveWindows(verdict);
  const trusted = isCalibrated(verdict);
  return (
    <section className={`rounded-xl p-4 ${cardBackground(verdict)}`}>
      {isAgainstAdvice(verdict) && <Caution>{texts.verdict.againstAdvice}</Caution>}
      {verdict.warnings?.map(({ code }) => (
        <Caution key={code}>{texts.verdict.warned[code] ?? texts.verdict.warnedOtherwise}</Caution>
      ))}
      <h3
        className={`flex items-center gap-2.5 text-2xl font-semibold ${VERDICT_COLOURS[verdict.verdict].text}`}
      >
        <Icon name={verdict.verdict} className="size-8" />
        {words[verdict.verdict]}
      </h3>
      <p className="mt-1">{sentences[verdict.verdict]}</p>
      {verdict.reason && <p className="mt-1 text-sm">{because(verdict.reason)}</p>}
      {hidden && <HiddenWindows {...hidden} />}
      {second && <Second answer={second} />}
      <p className="mt-4 flex flex-wrap items-baseline justify-between gap-x-3 text-sm">
        <span>
          {probability} ({trusted ? calibrated : uncalibrated})
        </span>
        <strong className="text-lg tabular-nums">{percent(verdict.probability)}</strong>
      </p>
      <Scale probability={verdict.probability} thresholds={verdict.model.thresholds} />
      {!trusted && <p className="mt-3 text-sm">{uncalibratedMeans}</p>}
    </section>
  );
}

function Caution({ children }: { children: string }): ReactElement {
  return (
    <p className="mb-3 flex items-center gap-2 font-semibold text-unsure">
      <Icon name="warning" />
      {children}
    </p>
  );
}

function HiddenWindows(windows: { yes: number; of: number }): ReactElement {
  return (
    <p className="mt-3 flex items-center gap-2 rounded-lg border-2 border-yes bg-surface p-3 font-semibold text-yes">
      <Icon name="windows" className="size-6" />
      {texts.verdict.positiveWindows(windows)}
    </p>
  );
}

/** What the headline alone would hide: a likely precursor stands out, anything else is one quiet line. */
function Second({ answer }: { answer: SecondAnswer }): ReactElement {
  const { second, words, likely, calibrated, uncalibrated } = texts.verdict;
  const figures = `${second}: ${words[answer.verdict]}, ${percent(answer.probability)} (${answer.calibrated ? calibrated : uncalibrated})`;
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
