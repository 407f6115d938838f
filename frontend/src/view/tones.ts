import type { Answer } from "../api/types";

export const TONES: Record<Answer, { text: string; soft: string; solid: string }> = {
  yes: { text: "text-yes", soft: "bg-yes-soft", solid: "bg-yes" },
  no: { text: "text-no", soft: "bg-no-soft", solid: "bg-no" },
  indeterminate: { text: "text-unsure", soft: "bg-unsure-soft", solid: "bg-unsure" },
};
