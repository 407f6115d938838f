import type { ReactElement } from "react";

import type { Answer } from "../api/types";
import { texts } from "../texts";
import { Icon } from "./icons";
import { VERDICT_COLOURS } from "./verdictColours";

interface Props {
  verdict: Answer;
  /** In the verdict's place, where that alone would mislead. */
  words?: string;
}

/** The verdict in words, colour and shape. */
export function VerdictHeading({ verdict, words }: Props): ReactElement {
  return (
    <h3
      className={`flex items-center gap-2.5 text-2xl font-semibold ${VERDICT_COLOURS[verdict].text}`}
    >
      <Icon name={verdict} className="size-8" />
      {words ?? texts.verdict.words[verdict]}
    </h3>
  );
}
