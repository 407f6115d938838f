import { jsPDF } from "jspdf";

import { contextOf } from "../intake/canvas";

/** What PDF's own fonts can write; anything else is drawn as the browser writes it. */
const WRITABLE = /^[\x20-\x7e\xa0-\xff€‘’“”•–—…™\n]*$/;
const MM_PER_POINT = 25.4 / 72;
const LINE = 1.35;
const DOTS_PER_MM = 12;
/** Kept free above the foot. */
const FOOT = 2;

export interface Style {
  size?: number;
  bold?: boolean;
  colour?: string;
  /** More lines than this are cut off, with an ellipsis. */
  maxLines?: number;
}

/** A4, in millimetres from the upper left. */
export class PdfPage {
  static readonly width = 210;
  static readonly height = 297;
  static readonly margin = 18;
  readonly pdf = new jsPDF({ unit: "mm", format: "a4", compress: true });

  /** Write within `width`; returns where the next line would begin. */
  text(words: string, left: number, top: number, width: number, style: Style = {}): number {
    const { size = 10, bold = false, colour = "#1d1822", maxLines = 40 } = style;
    const height = size * MM_PER_POINT * LINE;
    const writable = WRITABLE.test(words);
    const ruler = writable ? this.ruler(size, bold) : drawnRuler(size, bold);
    const lines = cut(wrap(words, width, ruler), maxLines);
    this.pdf.setTextColor(colour);
    lines.forEach((line, at) => {
      if (writable) this.pdf.text(line, left, top + at * height, { baseline: "top" });
      else this.drawn(line, left, top + at * height, width, height, { size, bold, colour });
    });
    return top + lines.length * height;
  }

  /** How high `text` would be. */
  heightOf(
    words: string,
    width: number,
    { size = 10, bold = false, maxLines = 40 }: Style = {},
  ): number {
    const ruler = WRITABLE.test(words) ? this.ruler(size, bold) : drawnRuler(size, bold);
    return cut(wrap(words, width, ruler), maxLines).length * size * MM_PER_POINT * LINE;
  }

  /** Where to go on with what is `height` high: here, or at the top of a new page. */
  roomFor(height: number, top: number): number {
    if (top + height <= PdfPage.height - PdfPage.margin - FOOT) return top;
    this.pdf.addPage();
    return PdfPage.margin;
  }

  /** One line at the foot of every page. */
  foot(words: string): void {
    for (let page = 1; page <= this.pdf.getNumberOfPages(); page += 1) {
      this.pdf.setPage(page);
      this.text(
        words,
        PdfPage.margin,
        PdfPage.height - PdfPage.margin,
        PdfPage.width - 2 * PdfPage.margin,
        {
          size: 9,
          bold: true,
        },
      );
    }
  }

  private ruler(size: number, bold: boolean): (text: string) => number {
    this.pdf.setFont("helvetica", bold ? "bold" : "normal").setFontSize(size);
    return (text) => this.pdf.getTextWidth(text);
  }

  private drawn(
    line: string,
    left: number,
    top: number,
    width: number,
    height: number,
    style: Required<Omit<Style, "maxLines">>,
  ): void {
    const canvas = new OffscreenCanvas(
      Math.ceil(width * DOTS_PER_MM),
      Math.ceil(height * DOTS_PER_MM),
    );
    const drawing = contextOf(canvas);
    drawing.fillStyle = "#fff"; // a PDF's picture is opaque
    drawing.fillRect(0, 0, canvas.width, canvas.height);
    drawing.font = fontOf(style.size, style.bold);
    drawing.fillStyle = style.colour;
    drawing.textBaseline = "top";
    drawing.fillText(line, 0, 0);
    const { data } = drawing.getImageData(0, 0, canvas.width, canvas.height);
    const picture = { data, width: canvas.width, height: canvas.height } as ImageData;
    this.pdf.addImage(picture, "RGBA", left, top, width, height, undefined, "FAST");
  }

  bar(left: number, top: number, width: number, height: number, colour: string): void {
    this.pdf.setFillColor(colour).rect(left, top, width, height, "F");
  }

  get blob(): Blob {
    return this.pdf.output("blob");
  }
}

function fontOf(size: number, bold: boolean): string {
  return `${bold ? "bold " : ""}${size * MM_PER_POINT * DOTS_PER_MM}px sans-serif`;
}

function drawnRuler(size: number, bold: boolean): (text: string) => number {
  const drawing = contextOf(new OffscreenCanvas(1, 1));
  drawing.font = fontOf(size, bold);
  return (text) => drawing.measureText(text).width / DOTS_PER_MM;
}

/** Lines no wider than `width`; a word that is longer is broken where it must be. */
export function wrap(words: string, width: number, ruler: (text: string) => number): string[] {
  return words.split("\n").flatMap((paragraph) => {
    const lines = [""];
    for (const piece of paragraph.match(/\S+\s*/g) ?? []) {
      const last = lines.pop() ?? "";
      if (ruler((last + piece).trimEnd()) <= width) lines.push(last + piece);
      else if (ruler(piece.trimEnd()) <= width) lines.push(last, piece);
      else lines.push(...broken(last, piece, width, ruler));
    }
    return lines.map((line) => line.trimEnd());
  });
}

function broken(
  start: string,
  word: string,
  width: number,
  ruler: (text: string) => number,
): string[] {
  const lines = [start];
  for (const letter of word) {
    const last = lines.pop() ?? "";
    if (last === "" || ruler(last + letter) <= width) lines.push(last + letter);
    else lines.push(last, letter);
  }
  return lines;
}

export function cut(lines: string[], maxLines: number): string[] {
  return lines.length <= maxLines
    ? lines
    : [...lines.slice(0, maxLines - 1), `${lines[maxLines - 1] ?? ""} …`];
}
