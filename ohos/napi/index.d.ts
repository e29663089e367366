import webSocket from './@ohos.net.webSocket.js';
export { webSocket };
export default webSocket;
