// Documents that go into a package must not point at what stays out of it.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Targets of links and pictures, without what follows #. */
const TARGET = /\]\(([^)#\s]+)(?:#[^)]*)?\)|(?:src|srcset)="([^"]+)"/g;
const ELSEWHERE = /^[a-z]+:/;

/**
 * Relative links of Markdown files that lead nowhere.
 * @param {string} folder which the files are shown relative to
 * @param {readonly string[]} files
 * @returns {string[]} "file -> target"
 */
export const deadLinks = (folder, files) =>
  files
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(TARGET)]
        .map(([, link, picture]) => link ?? picture)
        .filter((target) => !ELSEWHERE.test(target) && !existsSync(join(dirname(file), target)))
        .map((target) => `${relative(folder, file)} -> ${target}`),
    );
