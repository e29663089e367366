// The module for Node.js, for `import`.

import module from './index.js';

export const { webSocket } = module;
export default webSocket;
