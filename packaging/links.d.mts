export function deadLinks(folder: string, files: readonly string[]): string[];
