import type { Verdict } from "../api/types";
import type { Item } from "../session/item";
import { positiveWindows, isAgainstAdvice, isCalibrated } from "../session/reliability";
import { countWindows } from "../session/windows";
import { texts } from "../texts";
import { percent } from "../view/numbers";
import { provenanceFacts } from "../view/provenance";
import { PdfPage } from "./pdfPage";
import { COLOURS, drawPicture, PICTURE_SIDE } from "./pdfPicture";

const QUIET = "#5a5162";
const PRECURSOR = "#5b2aa6";
const WARNING = "#7b5200";
const { margin } = PdfPage;
const WIDTH = PdfPage.width - 2 * margin;
const GAP = 8;
const MOST_FINDINGS = 6;
/** Millimetres that a section's heading takes, and a row of its list at the most. */
const HEADING = 5;
const ROW = 4.9;

type Answered = Item & { verdict: Verdict };

/** One page about one tile; a second where much speaks against its answer. */
export async function reportOf(item: Answered): Promise<Blob> {
  const page = new PdfPage();
  page.pdf.setProperties({ title: texts.report.title, creator: texts.name });
  let top = page.text(texts.report.title, margin, margin, WIDTH, { size: 16, bold: true });
  top = page.text(texts.report.made(new Date().toLocaleString("en-GB")), margin, top, WIDTH, {
    size: 9,
    colour: QUIET,
  });
  top = page.text(item.name, margin, top + 2, WIDTH, { bold: true, maxLines: 2 }) + 4;
  await drawPicture(page, item, margin, top);
  const right = margin + PICTURE_SIDE + GAP;
  const beside = verdict(page, item.verdict, right, top, WIDTH - PICTURE_SIDE - GAP);
  top = Math.max(beside, top + PICTURE_SIDE) + GAP;
  top = section(page, texts.verdict.explanation, item.explanation, top, 8);
  top = cautions(page, item.verdict, top);
  top = findings(page, item.verdict, top);
  const mark = item.review.mark ? texts.review[item.review.mark] : texts.report.unread;
  top = section(
    page,
    texts.report.reading,
    [mark, item.review.note].filter(Boolean).join(". "),
    top,
    6,
  );
  provenance(page, item, top);
  page.foot(texts.notice);
  return page.blob;
}

function verdict(
  page: PdfPage,
  prediction: Verdict,
  left: number,
  start: number,
  width: number,
): number {
  const { words, sentences, probability, calibrated, uncalibrated, uncalibratedMeans, because } =
    texts.verdict;
  const trusted = isCalibrated(prediction);
  let top = start;
  const { againstAdvice, warned, warnedOtherwise } = texts.verdict;
  const cautioned = [
    ...(isAgainstAdvice(prediction) ? [againstAdvice] : []),
    ...(prediction.warnings ?? []).map(({ code }) => warned[code] ?? warnedOtherwise),
  ];
  for (const caution of cautioned)
    top = page.text(caution, left, top, width, { size: 11, bold: true, colour: WARNING }) + 1;
  top = page.text(words[prediction.verdict], left, top, width, {
    size: 22,
    bold: true,
    colour: COLOURS[prediction.verdict],
  });
  top = page.text(sentences[prediction.verdict], left, top, width);
  if (prediction.reason)
    top = page.text(because(prediction.reason), left, top + 1, width, { size: 9 });
  const hidden = positiveWindows(prediction);
  if (hidden)
    top = page.text(texts.verdict.positiveWindows(hidden), left, top + 2, width, {
      size: 11,
      bold: true,
      colour: COLOURS.yes,
    });
  top = second(page, prediction, left, top, width);
  const sort = trusted ? calibrated : uncalibrated;
  top = page.text(`${probability} (${sort})`, left, top + 4, width, { size: 9, colour: QUIET });
  top = page.text(percent(prediction.probability), left, top, width, { size: 16, bold: true });
  top = scale(page, prediction, left, top + 3, width);
  return trusted ? top : page.text(uncalibratedMeans, left, top + 1, width, { size: 9 });
}

function second(
  page: PdfPage,
  prediction: Verdict,
  left: number,
  start: number,
  width: number,
): number {
  const answer = prediction.second_answer;
  if (!answer) return start;
  let top = start + 2;
  if (answer.mark)
    top = page.text(texts.verdict.likely[answer.mark], left, top, width, {
      size: 13,
      bold: true,
      colour: PRECURSOR,
    });
  top = page.text(answer.sentence, left, top, width, { size: 9 });
  return page.text(
    texts.report.second(answer.verdict, answer.probability, answer.calibrated),
    left,
    top,
    width,
    { size: 9, colour: QUIET },
  );
}

/** What speaks against taking the answer as it stands. */
function cautions(page: PdfPage, prediction: Verdict, start: number): number {
  const joined = (warnings: readonly { sentence: string }[] = []): string =>
    warnings.map(({ sentence }) => sentence).join(" ");
  let top = section(page, texts.verdict.gate, joined(prediction.gate?.warnings), start, 4);
  top = section(page, texts.verdict.warnings, joined(prediction.warnings), top, 4);
  if (!prediction.windows?.length) return top;
  const { yes, indeterminate, no, highest } = countWindows(prediction.windows);
  return section(
    page,
    texts.windows.title,
    texts.windows.summary(yes, indeterminate, no, highest),
    top,
    2,
  );
}

function scale(
  page: PdfPage,
  prediction: Verdict,
  left: number,
  top: number,
  width: number,
): number {
  const { lower, upper } = prediction.model.thresholds;
  page.bar(left, top, width * lower, 4, COLOURS.no);
  page.bar(left + width * lower, top, width * (upper - lower), 4, COLOURS.indeterminate);
  page.bar(left + width * upper, top, width * (1 - upper), 4, COLOURS.yes);
  page.bar(left + width * prediction.probability - 0.5, top - 1.5, 1, 7, "#1d1822");
  return page.text(texts.provenance.cuts(lower, upper), left, top + 7, width, {
    size: 8,
    colour: QUIET,
  });
}

function section(
  page: PdfPage,
  title: string,
  words: string,
  top: number,
  maxLines: number,
): number {
  if (!words) return top;
  const start = page.roomFor(HEADING + page.heightOf(words, WIDTH, { maxLines }), top);
  const below = page.text(title, margin, start, WIDTH, { size: 9, bold: true, colour: QUIET });
  return page.text(words, margin, below + 0.5, WIDTH, { maxLines }) + 4;
}

function findings(page: PdfPage, prediction: Verdict, start: number): number {
  if (prediction.findings.length === 0) return start;
  const rows = Math.min(MOST_FINDINGS, prediction.findings.length);
  let top = page.roomFor(HEADING + (rows + 2) * ROW, start);
  top =
    page.text(texts.verdict.findings, margin, top, WIDTH, { size: 9, bold: true, colour: QUIET }) +
    0.5;
  for (const { name, probability } of prediction.findings.slice(0, MOST_FINDINGS)) {
    page.bar(margin + 95, top + 0.8, 55, 2.4, "#ece8ef");
    page.bar(margin + 95, top + 0.8, 55 * probability, 2.4, "#6d2a58");
    page.text(percent(probability), margin + 154, top, 20, { size: 9 });
    top = page.text(name, margin, top, 92, { size: 9, maxLines: 1 }) + 0.6;
  }
  if (prediction.headline_rule)
    top = page.text(prediction.headline_rule, margin, top, WIDTH, {
      size: 8,
      colour: QUIET,
      maxLines: 2,
    });
  return top + 3;
}

function provenance(page: PdfPage, item: Answered, start: number): void {
  const facts = provenanceFacts(item.verdict, item.answer).filter(([, value]) => value !== "");
  let top = page.roomFor(HEADING + facts.length * ROW, start);
  top =
    page.text(texts.provenance.title, margin, top, WIDTH, { size: 9, bold: true, colour: QUIET }) +
    0.5;
  for (const [name, value] of facts) {
    page.text(name, margin, top, 40, { size: 9, colour: QUIET });
    top = page.text(value, margin + 42, top, WIDTH - 42, { size: 9, maxLines: 1 });
  }
}
