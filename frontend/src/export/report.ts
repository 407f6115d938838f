import type { Answer, Verdict } from "../api/types";
import { contextOf } from "../intake/canvas";
import type { Item } from "../session/item";
import { hiddenWindows, isAgainstAdvice, isCalibrated } from "../session/trust";
import { countWindows } from "../session/windows";
import { texts } from "../texts";
import { percent } from "../view/numbers";
import { factsOf } from "../view/origins";
import { Sheet } from "./sheet";

const QUIET = "#5a5162";
const COLOURS: Record<Answer, string> = { yes: "#a5321b", no: "#0d5f6c", indeterminate: "#7b5200" };
const PRECURSOR = "#5b2aa6";
const WARNING = "#7b5200";
const { margin } = Sheet;
const WIDTH = Sheet.width - 2 * margin;
const PICTURE_SIDE = 78;
const GAP = 8;
const MOST_FINDINGS = 6;
/** Millimetres that a section's heading takes, and a row of its list at the most. */
const HEADING = 5;
const ROW = 4.9;
/** Longer side of the picture in the report: 250 dots an inch are enough for print. */
const PICTURE_PIXELS = 1200;

type Answered = Item & { verdict: Verdict };

/** One page about one tile; a second where much speaks against its answer. */
export async function reportOf(item: Answered): Promise<Blob> {
  const sheet = new Sheet();
  sheet.pdf.setProperties({ title: texts.report.title, creator: texts.name });
  let top = sheet.text(texts.report.title, margin, margin, WIDTH, { size: 16, bold: true });
  top = sheet.text(texts.report.made(new Date().toLocaleString("en-GB")), margin, top, WIDTH, {
    size: 9,
    colour: QUIET,
  });
  top = sheet.text(item.name, margin, top + 2, WIDTH, { bold: true, most: 2 }) + 4;
  await picture(sheet, item, top);
  const right = margin + PICTURE_SIDE + GAP;
  const beside = verdict(sheet, item.verdict, right, top, WIDTH - PICTURE_SIDE - GAP);
  top = Math.max(beside, top + PICTURE_SIDE) + GAP;
  top = section(sheet, texts.verdict.explanation, item.explanation, top, 8);
  top = cautions(sheet, item.verdict, top);
  top = findings(sheet, item.verdict, top);
  const mark = item.review.mark ? texts.review[item.review.mark] : texts.report.unread;
  top = section(
    sheet,
    texts.report.reading,
    [mark, item.review.note].filter(Boolean).join(". "),
    top,
    6,
  );
  provenance(sheet, item, top);
  sheet.foot(texts.notice);
  return sheet.blob;
}

async function picture(sheet: Sheet, item: Answered, top: number): Promise<void> {
  if (!item.drawable) return;
  const bitmap = await createImageBitmap(item.drawable);
  const scale = Math.min(1, PICTURE_PIXELS / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(
    Math.max(1, bitmap.width * scale),
    Math.max(1, bitmap.height * scale),
  );
  contextOf(canvas).drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  drawWindows(canvas, item.verdict);
  const jpeg = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
  const fit = PICTURE_SIDE / Math.max(canvas.width, canvas.height);
  const bytes = new Uint8Array(await jpeg.arrayBuffer());
  sheet.pdf.addImage(bytes, "JPEG", margin, top, canvas.width * fit, canvas.height * fit);
}

function verdict(sheet: Sheet, told: Verdict, left: number, start: number, width: number): number {
  const { words, sentences, probability, calibrated, uncalibrated, uncalibratedMeans, because } =
    texts.verdict;
  const trusted = isCalibrated(told);
  let top = start;
  const { againstAdvice, warned, warnedOtherwise } = texts.verdict;
  const cautioned = [
    ...(isAgainstAdvice(told) ? [againstAdvice] : []),
    ...(told.warnings ?? []).map(({ code }) => warned[code] ?? warnedOtherwise),
  ];
  for (const caution of cautioned)
    top = sheet.text(caution, left, top, width, { size: 11, bold: true, colour: WARNING }) + 1;
  top = sheet.text(words[told.verdict], left, top, width, {
    size: 22,
    bold: true,
    colour: COLOURS[told.verdict],
  });
  top = sheet.text(sentences[told.verdict], left, top, width);
  if (told.reason) top = sheet.text(because(told.reason), left, top + 1, width, { size: 9 });
  const hidden = hiddenWindows(told);
  if (hidden)
    top = sheet.text(texts.verdict.hiddenWindows(hidden), left, top + 2, width, {
      size: 11,
      bold: true,
      colour: COLOURS.yes,
    });
  top = second(sheet, told, left, top, width);
  const sort = trusted ? calibrated : uncalibrated;
  top = sheet.text(`${probability} (${sort})`, left, top + 4, width, { size: 9, colour: QUIET });
  top = sheet.text(percent(told.probability), left, top, width, { size: 16, bold: true });
  top = scale(sheet, told, left, top + 3, width);
  return trusted ? top : sheet.text(uncalibratedMeans, left, top + 1, width, { size: 9 });
}

function second(sheet: Sheet, told: Verdict, left: number, start: number, width: number): number {
  const answer = told.second_answer;
  if (!answer) return start;
  let top = start + 2;
  if (answer.mark)
    top = sheet.text(texts.verdict.likely[answer.mark], left, top, width, {
      size: 13,
      bold: true,
      colour: PRECURSOR,
    });
  top = sheet.text(answer.sentence, left, top, width, { size: 9 });
  return sheet.text(
    texts.report.second(answer.verdict, answer.probability, answer.calibrated),
    left,
    top,
    width,
    { size: 9, colour: QUIET },
  );
}

/** What speaks against taking the answer as it stands. */
function cautions(sheet: Sheet, told: Verdict, start: number): number {
  const joined = (warnings: readonly { sentence: string }[] = []): string =>
    warnings.map(({ sentence }) => sentence).join(" ");
  let top = section(sheet, texts.verdict.gate, joined(told.gate?.warnings), start, 4);
  top = section(sheet, texts.verdict.warnings, joined(told.warnings), top, 4);
  if (!told.windows?.length) return top;
  const { yes, indeterminate, no, highest } = countWindows(told.windows);
  return section(
    sheet,
    texts.windows.title,
    texts.windows.summary(yes, indeterminate, no, highest),
    top,
    2,
  );
}

function drawWindows(canvas: OffscreenCanvas, { windows, tile }: Verdict): void {
  const drawing = contextOf(canvas);
  drawing.font = "bold 22px sans-serif";
  drawing.textBaseline = "top";
  const [across, down] = [canvas.width / tile.width, canvas.height / tile.height];
  for (const { x, y, width, height, probability, verdict } of windows ?? []) {
    drawing.lineWidth = verdict === "yes" ? 6 : 3;
    drawing.strokeStyle = drawing.fillStyle = COLOURS[verdict];
    drawing.strokeRect(x * across, y * down, width * across, height * down);
    const label = percent(probability);
    drawing.fillRect(x * across, y * down, drawing.measureText(label).width + 10, 28);
    drawing.fillStyle = "#fff";
    drawing.fillText(label, x * across + 5, y * down + 3);
  }
}

function scale(sheet: Sheet, told: Verdict, left: number, top: number, width: number): number {
  const { lower, upper } = told.model.thresholds;
  sheet.bar(left, top, width * lower, 4, COLOURS.no);
  sheet.bar(left + width * lower, top, width * (upper - lower), 4, COLOURS.indeterminate);
  sheet.bar(left + width * upper, top, width * (1 - upper), 4, COLOURS.yes);
  sheet.bar(left + width * told.probability - 0.5, top - 1.5, 1, 7, "#1d1822");
  return sheet.text(texts.provenance.cuts(lower, upper), left, top + 7, width, {
    size: 8,
    colour: QUIET,
  });
}

function section(sheet: Sheet, title: string, words: string, top: number, most: number): number {
  if (!words) return top;
  const start = sheet.roomFor(HEADING + sheet.heightOf(words, WIDTH, { most }), top);
  const below = sheet.text(title, margin, start, WIDTH, { size: 9, bold: true, colour: QUIET });
  return sheet.text(words, margin, below + 0.5, WIDTH, { most }) + 4;
}

function findings(sheet: Sheet, told: Verdict, start: number): number {
  if (told.findings.length === 0) return start;
  const rows = Math.min(MOST_FINDINGS, told.findings.length);
  let top = sheet.roomFor(HEADING + (rows + 2) * ROW, start);
  top =
    sheet.text(texts.verdict.findings, margin, top, WIDTH, { size: 9, bold: true, colour: QUIET }) +
    0.5;
  for (const { name, probability } of told.findings.slice(0, MOST_FINDINGS)) {
    sheet.bar(margin + 95, top + 0.8, 55, 2.4, "#ece8ef");
    sheet.bar(margin + 95, top + 0.8, 55 * probability, 2.4, "#6d2a58");
    sheet.text(percent(probability), margin + 154, top, 20, { size: 9 });
    top = sheet.text(name, margin, top, 92, { size: 9, most: 1 }) + 0.6;
  }
  if (told.headline_rule)
    top = sheet.text(told.headline_rule, margin, top, WIDTH, { size: 8, colour: QUIET, most: 2 });
  return top + 3;
}

function provenance(sheet: Sheet, item: Answered, start: number): void {
  const facts = factsOf(item.verdict, item.answer).filter(([, value]) => value !== "");
  let top = sheet.roomFor(HEADING + facts.length * ROW, start);
  top =
    sheet.text(texts.provenance.title, margin, top, WIDTH, { size: 9, bold: true, colour: QUIET }) +
    0.5;
  for (const [name, value] of facts) {
    sheet.text(name, margin, top, 40, { size: 9, colour: QUIET });
    top = sheet.text(value, margin + 42, top, WIDTH - 42, { size: 9, most: 1 });
  }
}
