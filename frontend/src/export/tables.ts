import { findOriginals } from "../session/duplicates";
import { isOpen, type Item } from "../session/item";
import { isAgainstAdvice, isCalibrated } from "../session/reliability";
import { countWindows } from "../session/windows";
import { texts } from "../texts";

type Cell = string | number | boolean | null | undefined;

const COLUMNS: Record<string, (item: Item, original: Item | undefined) => Cell> = {
  name: (item) => item.name,
  verdict: ({ verdict }) => verdict?.verdict,
  probability: ({ verdict }) => verdict?.probability,
  calibrated: ({ verdict }) => verdict && isCalibrated(verdict),
  against_advice: ({ verdict }) => verdict && isAgainstAdvice(verdict),
  second_verdict: ({ verdict }) => verdict?.second_answer?.verdict,
  second_probability: ({ verdict }) => verdict?.second_answer?.probability,
  second_mark: ({ verdict }) => verdict?.second_answer?.mark,
  second_sentence: ({ verdict }) => verdict?.second_answer?.sentence,
  no_up_to: ({ verdict }) => verdict?.model.thresholds.lower,
  yes_from: ({ verdict }) => verdict?.model.thresholds.upper,
  explanation: ({ explanation }) => explanation,
  gate: ({ verdict }) => sentences(verdict?.gate?.warnings),
  warnings: ({ verdict }) => sentences(verdict?.warnings),
  windows: ({ verdict }) => verdict?.windows?.length,
  windows_yes: ({ verdict }) => verdict?.windows && countWindows(verdict.windows).yes,
  windows_highest: ({ verdict }) => verdict?.windows && countWindows(verdict.windows).highest,
  same_file_as: (_, original) => original?.name,
  page: ({ verdict, page }) => verdict?.tile.page ?? page,
  not_answered: problemOf,
  reader: ({ review }) => review.mark,
  note: ({ review }) => review.note,
  case: (item) => item.case,
  engine: ({ verdict }) => verdict?.model.engine,
  model: ({ verdict }) => verdict?.model.id,
  revision: ({ verdict }) => verdict?.model.revision,
  calibration: ({ verdict }) => verdict?.model.calibration,
  total_ms: ({ answer }) => answer?.timings_ms.total,
  request_id: ({ verdict }) => verdict?.request_id,
};

function sentences(warnings: readonly { sentence: string }[] | undefined): string | undefined {
  return warnings?.map((warning) => warning.sentence).join(" ");
}

function problemOf({ phase, verdict }: Item): string | undefined {
  if (phase.is === "failed") return `${phase.failure.title}. ${phase.failure.detail}`;
  return verdict ? undefined : phase.is;
}

/** RFC 4180, with the mark by which spreadsheets recognise UTF-8. */
export function toCsv(items: readonly Item[]): Blob {
  const same = findOriginals(items);
  const rows = items.map((item) =>
    Object.values(COLUMNS).map((column) => cell(column(item, same.get(item.id)))),
  );
  const lines = [Object.keys(COLUMNS), ...rows].map((row) => row.join(","));
  return new Blob(["\ufeff", lines.map((line) => `${line}\r\n`).join("")], { type: "text/csv" });
}

/** A text that begins like a formula would be run by a spreadsheet: it is quoted for it too. */
function cell(value: Cell): string {
  if (typeof value !== "string") return String(value ?? "");
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The answers as the service gave them, and what the reader made of them. */
export function toJson(items: readonly Item[]): Blob {
  const same = findOriginals(items);
  const tiles = items.map((item) => ({
    name: item.name,
    answer: item.answer ?? item.verdict ?? null,
    problem: item.phase.is === "failed" ? item.phase.failure : null,
    unfinished: isOpen(item) || item.phase.is === "cancelled",
    review: item.review,
    case: item.case ?? null,
    same_file_as: same.get(item.id)?.name ?? null,
  }));
  return new Blob([JSON.stringify({ notice: texts.notice, tiles }, null, 2), "\n"], {
    type: "application/json",
  });
}
