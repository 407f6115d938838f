import type { ReactElement } from "react";

import type { Thresholds } from "../api/types";
import { texts } from "../texts";
import { percent } from "./numbers";

interface Props {
  probability: number;
  thresholds: Thresholds;
}

const share = (of: number): string => `${of * 100}%`;

/** 0 to 100 %, cut at both thresholds, the probability marked on it. */
export function Scale({ probability, thresholds: { lower, upper } }: Props): ReactElement {
  const { zones, scale } = texts.verdict;
  return (
    <div
      role="img"
      aria-label={scale(probability, lower, upper)}
      className="mt-2 text-xs tabular-nums"
    >
      <div className="relative pt-3">
        <div
          className="absolute top-0 size-0 -translate-x-1/2 border-x-6 border-t-8 border-x-transparent border-t-ink"
          style={{ left: share(probability) }}
        />
        <div className="flex h-4 gap-0.5 overflow-hidden rounded">
          <Zone width={lower} className="bg-no" />
          {lower < upper && <Zone width={upper - lower} className="bg-unsure" />}
          <Zone width={1 - upper} className="bg-yes" />
        </div>
        <div
          className="absolute bottom-0 h-5 w-0.5 -translate-x-1/2 bg-ink outline-1 outline-surface"
          style={{ left: share(probability) }}
        />
      </div>
      <div className="relative mt-1 h-4">
        {lower < upper && <Tick at={lower} />}
        <Tick at={upper} />
      </div>
      <div className="flex flex-wrap justify-between gap-x-3">
        <Label className="bg-no">{zones.no}</Label>
        {lower < upper && <Label className="bg-unsure">{zones.indeterminate}</Label>}
        <Label className="bg-yes">{zones.yes}</Label>
      </div>
    </div>
  );
}

function Zone({ width, className }: { width: number; className: string }): ReactElement {
  return <div className={className} style={{ width: share(width) }} />;
}

function Tick({ at }: { at: number }): ReactElement {
  return (
    <span className="absolute -translate-x-1/2" style={{ left: share(at) }}>
      {percent(at)}
    </span>
  );
}

/** A key to the zones, not a label under each: a zone can be narrower than its name. */
function Label({ className, children }: { className: string; children: string }): ReactElement {
  return (
    <span className="flex items-center gap-1">
      <span className={`size-2.5 rounded-sm ${className}`} />
      {children}
    </span>
  );
}
