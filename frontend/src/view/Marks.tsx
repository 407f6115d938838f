import type { ReactElement } from "react";

import type { Item } from "../session/item";
import { hiddenWindows, isAgainstAdvice, markOf } from "../session/trust";
import { texts } from "../texts";
import { Icon, type IconName } from "./icons";

/** What the verdict and its probability alone would hide, in a row of the worklist. */
export function Marks({ item, duplicate }: { item: Item; duplicate: boolean }): ReactElement {
  const { verdict } = item;
  const mark = markOf(item);
  const hidden = hiddenWindows(verdict);
  const { likelyShort, hiddenWindowsShort, againstAdviceShort, warnedShort, warnedShortOtherwise } =
    texts.verdict;
  return (
    <>
      {mark && (
        <Mark icon="precursor" tone="text-precursor">
          {likelyShort[mark]}
        </Mark>
      )}
      {hidden && (
        <Mark icon="windows" tone="text-yes">
          {hiddenWindowsShort(hidden)}
        </Mark>
      )}
      {isAgainstAdvice(verdict) && (
        <Mark icon="warning" tone="text-unsure">
          {againstAdviceShort}
        </Mark>
      )}
      {verdict?.warnings?.map(({ code }) => (
        <Mark key={code} icon="warning" tone="text-unsure">
          {warnedShort[code] ?? warnedShortOtherwise}
        </Mark>
      ))}
      {duplicate && (
        <Mark icon="duplicate" tone="">
          {texts.worklist.duplicate}
        </Mark>
      )}
    </>
  );
}

function Mark({
  icon,
  tone,
  children,
}: {
  icon: IconName;
  tone: string;
  children: string;
}): ReactElement {
  return (
    <span className={`flex items-center gap-1 font-semibold ${tone}`}>
      <Icon name={icon} className="size-4" />
      {children}
    </span>
  );
}
