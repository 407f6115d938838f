import type { ReactElement } from "react";

import type { Item } from "../session/item";
import { positiveWindows, isAgainstAdvice, markOf } from "../session/reliability";
import { texts } from "../texts";
import { Icon, type IconName } from "./icons";

/** What the verdict and its probability alone would hide, in a row of the worklist. */
export function RowBadges({ item, duplicate }: { item: Item; duplicate: boolean }): ReactElement {
  const { verdict } = item;
  const mark = markOf(item);
  const hidden = positiveWindows(verdict);
  const { likelyShort, hiddenWindowsShort, againstAdviceShort, warnedShort, warnedShortOtherwise } =
    texts.verdict;
  return (
    <>
      {mark && (
        <Badge icon="precursor" tone="text-precursor">
          {likelyShort[mark]}
        </Badge>
      )}
      {hidden && (
        <Badge icon="windows" tone="text-yes">
          {hiddenWindowsShort(hidden)}
        </Badge>
      )}
      {isAgainstAdvice(verdict) && (
        <Badge icon="warning" tone="text-unsure">
          {againstAdviceShort}
        </Badge>
      )}
      {verdict?.warnings?.map(({ code }) => (
        <Badge key={code} icon="warning" tone="text-unsure">
          {warnedShort[code] ?? warnedShortOtherwise}
        </Badge>
      ))}
      {duplicate && (
        <Badge icon="duplicate" tone="">
          {texts.worklist.duplicate}
        </Badge>
      )}
    </>
  );
}

function Badge({
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
