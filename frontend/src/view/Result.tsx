import { type ReactElement, useEffect, useState } from "react";

import type { GateReason } from "../api/types";
import { findOriginals } from "../session/duplicates";
import { canRetry, type Item, type Failure } from "../session/item";
import { retry } from "../session/queue";
import { useSession } from "../session/store";
import { texts } from "../texts";
import { Findings } from "./Findings";
import { Icon } from "./icons";
import { PageChooser } from "./PageChooser";
import { Provenance } from "./Provenance";
import { ReviewForm } from "./ReviewForm";
import { PhaseText } from "./Row";
import { VerdictCard } from "./VerdictCard";
import { Windows } from "./Windows";

const NOT_ASSESSABLE = "image_not_assessable";

export function Result({ item }: { item: Item }): ReactElement {
  const { phase, verdict } = item;
  return (
    <div className="mx-auto grid max-w-3xl grid-cols-1 gap-5 wide:max-w-none">
      {phase.is === "failed" && <Failed item={item} failure={phase.failure} />}
      {phase.is === "cancelled" && <Cancelled item={item} />}
      <PageChooser key={`pages of ${item.id}`} item={item} />
      <Duplicate item={item} />
      {verdict ? (
        <Answered key={item.id} item={{ ...item, verdict }} />
      ) : (
        phase.is !== "failed" && phase.is !== "cancelled" && <Pending item={item} />
      )}
    </div>
  );
}

function Answered({
  item,
}: {
  item: Item & { verdict: NonNullable<Item["verdict"]> };
}): ReactElement {
  const { verdict } = item;
  return (
    <>
      <VerdictCard verdict={verdict} />
      <section className="min-h-20">
        <h3 className="heading mb-1">{texts.verdict.explanation}</h3>
        <p aria-busy={item.phase.is === "explaining"}>
          {item.explanation ||
            (item.phase.is === "explaining" && (
              <span className="text-quiet">{texts.phase.explaining}</span>
            ))}
        </p>
      </section>
      <Warnings
        title={texts.verdict.gate}
        warnings={verdict.gate?.warnings}
        after={texts.verdict.gateOverridden}
      />
      <Warnings title={texts.verdict.warnings} warnings={verdict.warnings} />
      <Windows windows={verdict.windows ?? []} />
      <Findings findings={verdict.findings} rule={verdict.headline_rule ?? null} />
      <ReviewForm item={item} />
      <Provenance verdict={verdict} answer={item.answer} />
    </>
  );
}

function Warnings({
  title,
  warnings = [],
  after,
}: {
  title: string;
  warnings: GateReason[] | undefined;
  after?: string;
}): ReactElement | null {
  if (warnings.length === 0) return null;
  return (
    <section className="rounded-lg bg-unsure-soft p-3 text-sm">
      <h3 className="flex items-center gap-2 font-semibold">
        <Icon name="warning" className="text-unsure" />
        {title}
      </h3>
      <Sentences reasons={warnings} />
      {after && <p className="mt-1 text-quiet">{after}</p>}
    </section>
  );
}

function Sentences({ reasons }: { reasons: GateReason[] }): ReactElement {
  return (
    <ul className="mt-1 grid list-disc gap-1 pl-5">
      {reasons.map((reason) => (
        <li key={reason.code}>{reason.sentence}</li>
      ))}
    </ul>
  );
}

function Failed({ item, failure }: { item: Item; failure: Failure }): ReactElement {
  const gate = failure.code === NOT_ASSESSABLE;
  return (
    <section className="rounded-xl border border-line bg-surface p-4">
      <h3 className="flex items-start gap-2 text-lg font-semibold">
        <Icon name="failed" className="mt-0.5 size-6 text-quiet" />
        {failure.title}
      </h3>
      <div className="mt-2">
        {gate && failure.reasons ? (
          <Sentences reasons={failure.reasons} />
        ) : (
          <p>{failure.detail}</p>
        )}
      </div>
      <div className="mt-4 flex flex-wrap gap-2 empty:hidden">
        {gate && item.gate !== "warn" && (
          <button
            type="button"
            className="button"
            onClick={() => {
              retry(item.id, "warn");
            }}
          >
            {texts.action.warn}
          </button>
        )}
        {canRetry(item) && <Retry item={item} />}
      </div>
    </section>
  );
}

function Retry({ item }: { item: Item }): ReactElement {
  return (
    <button
      type="button"
      className="button"
      onClick={() => {
        retry(item.id);
      }}
    >
      <Icon name="retry" className="size-4" />
      {texts.action.retry}
    </button>
  );
}

/** Says of which other tile this is the same file. */
function Duplicate({ item }: { item: Item }): ReactElement | null {
  const name = useSession(({ items }) => findOriginals(items).get(item.id)?.name);
  if (name === undefined) return null;
  return (
    <p className="flex items-start gap-2 rounded-lg bg-sunken p-3 text-sm">
      <Icon name="duplicate" className="text-quiet" />
      <span className="min-w-0 wrap-anywhere">{texts.verdict.sameAs(name)}</span>
    </p>
  );
}

function Cancelled({ item }: { item: Item }): ReactElement {
  return (
    <section className="rounded-xl border border-line bg-surface p-4">
      <h3 className="text-lg font-semibold">{texts.phase.cancelled}</h3>
      <p className="mt-1 mb-4">
        {item.verdict ? texts.phase.cancelledLate : texts.phase.cancelledMeans}
      </p>
      <Retry item={item} />
    </section>
  );
}

function Pending({ item }: { item: Item }): ReactElement {
  return (
    <section className="rounded-xl border border-line bg-surface p-4" aria-busy="true">
      <h3 className="flex items-center gap-2 text-lg font-semibold">
        <Icon name="open" className="size-6 text-quiet" />
        {item.phase.is === "processing" ? (
          <ElapsedTime since={item.phase.since} />
        ) : (
          <PhaseText item={item} />
        )}
      </h3>
      <p className="mt-2 text-quiet">{texts.phase.wait}</p>
    </section>
  );
}

function ElapsedTime({ since }: { since: number }): ReactElement {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => {
      setNow(Date.now());
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  }, []);
  const passed = now - since;
  return (
    <span className="tabular-nums">
      {passed < 2000
        ? texts.phase.processing
        : texts.phase.processingFor(Math.floor(passed / 1000))}
    </span>
  );
}
