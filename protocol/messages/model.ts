/** Everything about models that goes over the wire. */
export * from './model-announcement.js';
export * from './model-container.js';
export * from './model-manifest.js';
export * from './model-offer.js';
export * from './model-package.js';
export * from './model-status.js';
