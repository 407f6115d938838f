import type { ReactElement } from "react";

import { itemOf, someOpen, useSession } from "../session/store";
import { countByCategory } from "../session/worklist";
import { positiveWindows, isAgainstAdvice, markOf } from "../session/reliability";
import { texts } from "../texts";

/** For screen readers: the selected tile's verdict, and the total once the queue is done. */
export function Announcer(): ReactElement {
  const text = useSession((session) => {
    const item = itemOf(session.selected);
    if (!item?.verdict) return "";
    const mark = markOf(item);
    const hidden = positiveWindows(item.verdict);
    const further = [
      mark && texts.verdict.likely[mark],
      hidden && texts.verdict.positiveWindows(hidden),
      isAgainstAdvice(item.verdict) && texts.verdict.againstAdvice,
    ].filter((text) => typeof text === "string");
    return texts.worklist.answered(
      item.name,
      item.verdict.verdict,
      item.verdict.probability,
      further,
    );
  });
  const finished = useSession((session) => {
    if (session.items.length < 2 || someOpen(session)) return "";
    const { yes, indeterminate, no, failed } = countByCategory(session.items);
    return texts.worklist.finished(yes, indeterminate, no, failed);
  });
  return (
    <div className="sr-only">
      <p role="status">{text}</p>
      <p role="status">{finished}</p>
    </div>
  );
}
