import typings = require('./@ohos.net.webSocket.js');
import webSocket = typings.default;
export { webSocket };
export default webSocket;
