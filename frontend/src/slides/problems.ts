import type { Problem } from "../api/types";
import { sentenceOf } from "../session/problems";
import { slideTexts } from "./texts";

/** Of what a slide needs before it can be read, the service's sentence names the command line's words. */
const OWN_SENTENCES: Partial<Record<string, (sources: string) => string>> = {
  no_resolution: slideTexts.noScale,
  resolution_contradictory: slideTexts.scalesContradict,
};

export const needsScale = ({ problem }: { problem: Problem | null }): boolean =>
  problem !== null && problem.code in OWN_SENTENCES;

/** Why a slide was not read, in a sentence that names what is on the page. */
export function slideSentenceOf(problem: Problem): string {
  const { sources } = problem as { sources?: unknown };
  const own = OWN_SENTENCES[problem.code];
  return own && typeof sources === "string" ? own(sources) : sentenceOf(problem);
}
