//! A process with privileges that its caller doesn't have takes neither CAs nor proxies from its environment: this program, once as
//! it is, and once as a copy that runs as another user. Without the usual harness, which would make the copies start one another.

use std::ffi::{c_void, CStr, CString};
use std::mem::MaybeUninit;
use std::os::unix::fs::{chown, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::Sender;
use std::{env, fs, ptr};

use netstack_websocket::ffi::{
    nsws_client, nsws_client_connect, nsws_client_create, nsws_client_on_error, nsws_error_event,
    nsws_shutdown,
};

/// What the caller says.
const PROXY: (&str, &str) = ("http_proxy", "127.0.0.1:1");
const CAS: (&str, &str) = ("SSL_CERT_FILE", "/nowhere/cas.pem");
/// Where to connect: a port of loopback at which nobody answers.
const URL: &str = "PRIVILEGES_URL";

extern "C" fn failed(_: nsws_client, event: *const nsws_error_event, told: *mut c_void) {
    // SAFETY: the event lives during the call, and the sender until the shutdown.
    let (message, told) = unsafe { (CStr::from_ptr((*event).message), &*told.cast::<Sender<String>>()) };
    let _ = told.send(message.to_string_lossy().into_owned());
}

/// Tries to connect, and prints why that fails.
fn attempt(url: String) {
    let url = CString::new(url).unwrap();
    let (told, tells) = std::sync::mpsc::channel::<String>();
    let mut client = MaybeUninit::uninit();
    // SAFETY: the output is writable, the URL is NUL-terminated, and the options may be NULL.
    unsafe {
        assert_eq!(nsws_client_create(client.as_mut_ptr()), 0);
        let client = client.assume_init();
        let told = ptr::from_ref(&told).cast_mut().cast();
        assert_eq!(nsws_client_on_error(client, Some(failed), told, None), 0);
        assert_eq!(nsws_client_connect(client, url.as_ptr(), ptr::null()), 0);
    }
    println!("{}", tells.recv().unwrap());
    assert_eq!(nsws_shutdown(60_000), 0);
}

fn said(program: &Path, url: &str) -> String {
    let mut child = Command::new(program);
    child.env_clear().envs([PROXY, CAS]).env(URL, url);
    let output = child.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Where a set-user-ID program has its effect, in a directory that ends with this.
struct Copy(std::path::PathBuf);

impl Copy {
    /// This program, to run as another user; `None` where that can't be had.
    fn of_another_user() -> Option<Copy> {
        const NOBODY: u32 = 65534;
        let directory = env::temp_dir().join(format!("privileges-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let copy = Copy(directory);
        let program = copy.program();
        fs::copy(env::current_exe().unwrap(), &program).unwrap();
        chown(&program, Some(NOBODY), None).ok()?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
        let path = CString::new(program.to_str()?).unwrap();
        let mut mounted = MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: the path is NUL-terminated, and the output is writable, and written when this succeeds.
        let mounted = unsafe {
            assert_eq!(libc::statvfs(path.as_ptr(), mounted.as_mut_ptr()), 0);
            mounted.assume_init()
        };
        (mounted.f_flag & libc::ST_NOSUID == 0).then_some(copy)
    }

    fn program(&self) -> std::path::PathBuf {
        self.0.join("program")
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn main() {
    if let Ok(url) = env::var(URL) {
        return attempt(url);
    }
    // Takes links, and closes them at once.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let (plain, secure) = (format!("ws://{address}/"), format!("wss://{address}/"));

    let own = env::current_exe().unwrap();
    if matches!(Command::new(&own).env(URL, &plain).output(), Err(error) if error.raw_os_error() == Some(libc::ENOEXEC))
    {
        return println!("SKIPPED: this program can start itself only where it needs no emulator");
    }
    let (proxy, cas) = (said(&own, &plain), said(&own, &secure));
    assert!(proxy.contains("the proxy 127.0.0.1:1"), "{proxy}");
    assert!(cas.contains(CAS.1), "{cas}");

    let Some(copy) = Copy::of_another_user() else {
        return println!("SKIPPED: a set-user-ID program, which takes root and a folder where it counts");
    };
    let (proxy, cas) = (said(&copy.program(), &plain), said(&copy.program(), &secure));
    assert!(!proxy.contains("proxy"), "{proxy}");
    assert!(!cas.contains(CAS.1), "{cas}");
}
