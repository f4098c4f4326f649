/** Where this machine's apt gets Debian from. @throws Error where its sources name no mirror */
export function mirrors(): string[];
