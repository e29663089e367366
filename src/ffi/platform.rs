//! The platform's hooks, set by the program that embeds the library.

use std::ffi::{c_char, c_void, CStr, CString};
use std::mem::size_of;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::arguments::{read_struct, text, write_defaults};
use super::connect_options::{proxy_kind, NSWS_PROXY_HTTP, NSWS_PROXY_NONE};
use super::listener::{nsws_free_fn, UserData};
use super::log::{log_sink, nsws_log_fn, NSWS_LOG_INFO};
use super::{call, fork};
use crate::error::{Code, Error};
use crate::log::{self, Level};
use crate::platform::{self, Address, Ask, AskAboutHost, AskForAddresses, AskForProxy, Hooks};
use crate::proxy::{Exclusions, Names, Server};

/// Answers yes (not 0) or no (0).
///
/// Hooks may be called on any thread, and on several at once, in the middle of the library's calls. They may call
/// the library, but must not wait for it. A call that asks a hook (about permission, host or device) takes as
/// long as the hook does.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_ask_fn = Option<unsafe extern "C" fn(user_data: *mut c_void) -> u8>;

/// Answers whether the program may connect to a host: yes (not 0) or no (0).
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_host_fn =
    Option<unsafe extern "C" fn(host: *const c_char, url: *const c_char, user_data: *mut c_void) -> u8>;

/// The proxy of the system, as an nsws_system_proxy_fn answers it. Prepare it with nsws_system_proxy_init().
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_system_proxy {
    /// The size of this struct; nsws_system_proxy_init() sets it.
    pub struct_size: usize,
    /// A host name or an IP address, IPv6 with or without brackets. NULL or "": there is no proxy.
    pub host: *const c_char,
    /// The user name for the proxy; the rules are those of nsws_connect_options. NULL or "": none.
    pub username: *const c_char,
    /// The password that goes with it.
    pub password: *const c_char,
    /// Hosts that are reached without the proxy, as in nsws_connect_options; invalid entries are ignored.
    pub exclusion_list: *const c_char,
    /// The port, 1 to 65535.
    pub port: u32,
    /// NSWS_PROXY_HTTP (the default), NSWS_PROXY_SOCKS5, or NSWS_PROXY_NONE: there is no proxy.
    pub mode: u8,
}

/// Writes the defaults into `proxy`: no proxy.
///
/// @param proxy the struct to prepare
/// @param struct_size `sizeof *proxy`, in bytes
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `proxy` is NULL, or the size is below that of a size_t or above 4096;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_system_proxy_init(proxy: *mut nsws_system_proxy, struct_size: usize) -> i32 {
    // SAFETY: the parameters' description asks for it.
    call(|| unsafe { write_defaults(proxy, struct_size, system_proxy_defaults()) })
}

/// Where an nsws_system_proxy_fn puts its answer. It lives until the hook returns.
/// @since 0.1
#[allow(non_camel_case_types)]
pub struct nsws_system_proxy_answer(Result<Option<Server>, String>);

/// Answers an nsws_system_proxy_fn. The last call inside the hook counts.
///
/// @param answer what the hook was given
/// @param proxy prepared by nsws_system_proxy_init(), copied; NULL: there is no proxy
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `answer` is NULL, or `proxy` is invalid, which also fails the attempt;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note The hook's thread, inside the hook.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_system_proxy_set(
    answer: *mut nsws_system_proxy_answer,
    proxy: *const nsws_system_proxy,
) -> i32 {
    call(|| {
        // SAFETY: NULL, or from the library, which waits for the hook to return.
        let Some(answer) = (unsafe { answer.as_mut() }) else {
            return Err(Error::call(Code::Parameter, "answer is NULL."));
        };
        // SAFETY: the parameter's description asks for it.
        let server = unsafe { read_system_proxy(proxy) };
        answer.0 = match &server {
            Ok(server) => Ok(server.clone()),
            Err(error) => Err(format!("The platform's proxy can't be used: {error}")),
        };
        server.map(drop)
    })
}

/// Answers which proxy the system has set, by calling nsws_system_proxy_set(). If the hook doesn't call it,
/// there is no proxy.
///
/// `url` has scheme, host and port of the server and nothing else ("wss://example.com:443/"). The hook is
/// called before each attempt to connect, on a thread that may block; `connect_timeout_ms` includes this time.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_system_proxy_fn = Option<
    unsafe extern "C" fn(url: *const c_char, answer: *mut nsws_system_proxy_answer, user_data: *mut c_void),
>;

/// Where an nsws_resolve_fn puts its answer. It lives until the hook returns.
/// @since 0.2
#[allow(non_camel_case_types)]
pub struct nsws_resolve_answer(Result<Option<Vec<Address>>, String>);

/// Answers an nsws_resolve_fn. The last call inside the hook counts.
///
/// @param answer what the hook was given
/// @param addresses IP addresses, separated by commas, the preferred one first ("2001:db8::1, 192.0.2.1"): IPv6 with or
///         without brackets, and with its zone if it is link-local ("fe80::1%wlan0"); copied. NULL or "": the host has no
///         address, which fails the attempt.
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `answer` is NULL, or one of them is no address, which also fails the attempt;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note The hook's thread, inside the hook.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_resolve_answer_set(
    answer: *mut nsws_resolve_answer,
    addresses: *const c_char,
) -> i32 {
    call(|| {
        // SAFETY: NULL, or from the library, which waits for the hook to return.
        let Some(answer) = (unsafe { answer.as_mut() }) else {
            return Err(Error::call(Code::Parameter, "answer is NULL."));
        };
        // SAFETY: the parameter's description asks for it.
        let list = unsafe { text(addresses, "addresses") };
        let addresses = list.and_then(|list| read_addresses(list.unwrap_or_default()));
        answer.0 = match &addresses {
            Ok(addresses) => Ok(Some(addresses.clone())),
            Err(error) => Err(format!("the platform's answer can't be used: {error}")),
        };
        addresses.map(drop)
    })
}

fn read_addresses(list: &str) -> crate::error::Result<Vec<Address>> {
    let entries = list.split(',').map(str::trim);
    let read = |entry| {
        Address::parse(entry)
            .ok_or_else(|| Error::call(Code::Parameter, format!("{entry:?} in addresses is no IP address")))
    };
    match list.trim() {
        "" => Ok(Vec::new()),
        _ => entries.map(read).collect(),
    }
}

/// Looks up the addresses of a host, by nsws_resolve_answer_set(). If the hook doesn't call that, the library looks the
/// name up as it does without the hook; so a hook may know some names only.
///
/// The hook is called in each attempt, for the name of the server or of its proxy, unless it is an IP address or is in
/// `resolve` of nsws_connect_options. It is asked before the hosts file. It may block: the connect timeout runs
/// meanwhile, and other names are looked up. The library can't end such a call, and nsws_shutdown() waits for it.
/// @since 0.2
#[allow(non_camel_case_types)]
pub type nsws_resolve_fn = Option<
    unsafe extern "C" fn(host: *const c_char, answer: *mut nsws_resolve_answer, user_data: *mut c_void),
>;

/// The platform's hooks. Prepare the struct with nsws_platform_init(). A hook that is NULL has its default.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_platform {
    /// The size of this struct; nsws_platform_init() sets it.
    pub struct_size: usize,
    /// Passed to every hook.
    pub user_data: *mut c_void,
    /// Called once when no hook of this platform is used any more, or NULL.
    pub free_fn: nsws_free_fn,
    /// Whether the program may use the network. Asked by the functions that list NSWS_ERR_PERMISSION_DENIED, which
    /// they return for "no". Default: yes.
    pub has_internet_permission: nsws_ask_fn,
    /// Whether the program may connect to a host. Asked by nsws_client_connect(), with the host of the URL (an IPv6
    /// address without brackets) and the URL; "no" is NSWS_ERR_DOMAIN_NOT_ALLOWED. With `max_redirects`, it is also
    /// asked about the target of each redirect, on a thread that may block; there, "no" is an `error` event with
    /// NSWS_DETAIL_REDIRECT. Default: yes.
    pub is_host_allowed: nsws_host_fn,
    /// Which proxy the system has set. Asked for connections with NSWS_PROXY_SYSTEM. An answer that can't be used
    /// fails the attempt, in phase NSWS_PHASE_PROXY. Default: the environment's, see `proxy_mode` of
    /// nsws_connect_options.
    pub get_system_proxy: nsws_system_proxy_fn,
    /// Whether the CAs that the user has installed are trusted as well. Asked in each attempt that trusts the
    /// system's CAs, on a thread that may block. Default: no. It has an effect only on OpenHarmony.
    pub trusts_user_ca: nsws_ask_fn,
    /// Whether the device is one on which servers may run. Asked by nsws_server_create(); "no" is
    /// NSWS_ERR_NOT_SUPPORTED. Default: yes.
    pub is_tv_device: nsws_ask_fn,
    /// Receives the log, in place of the receiver of nsws_set_log_callback(). NULL: the receiver
    /// stays, and so does that of an earlier nsws_set_platform(), with its `user_data`.
    pub log: nsws_log_fn,
    /// The most verbose level that `log` receives, one of NSWS_LOG_*. Default NSWS_LOG_INFO.
    pub log_level: i32,
    /// Which addresses a host has. An answer without any fails the attempt, in phase NSWS_PHASE_DNS (of a proxy: in
    /// NSWS_PHASE_PROXY), with detail NSWS_DETAIL_NAME_NOT_FOUND. Default: the system's lookup.
    /// @since 0.2
    pub resolve: nsws_resolve_fn,
}

/// Writes the defaults into `platform`: no hooks.
///
/// @param platform the struct to prepare
/// @param struct_size `sizeof *platform`, in bytes
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `platform` is NULL, or the size is below that of a size_t or above
///         4096; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_platform_init(platform: *mut nsws_platform, struct_size: usize) -> i32 {
    // SAFETY: the parameters' description asks for it.
    call(|| unsafe { write_defaults(platform, struct_size, defaults()) })
}

/// Sets the platform's hooks for the whole process. Usually called once, before the first connection. A later
/// call replaces all hooks, though the log's receiver stays until another is set; running calls of the old ones go on.
///
/// @param platform prepared by nsws_platform_init(), copied; NULL: the defaults again. If this call fails, its
///         `free_fn` is not called.
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the struct was not prepared, or `log_level` is unknown;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_set_platform(platform: *const nsws_platform) -> i32 {
    call(|| {
        fork::remember_process();
        if platform.is_null() {
            platform::set(None);
            return Ok(());
        }
        // SAFETY: the parameter's description asks for it.
        let given = unsafe { read_struct(platform, defaults()) }?;
        let level = Level::from_number(given.log_level).ok_or_else(|| {
            Error::call(Code::Parameter, format!("The log level {} is unknown.", given.log_level))
        })?;
        let user_data = Arc::new(UserData::new(given.user_data, given.free_fn));
        platform::set(Some(hooks(&given, &user_data)));
        if let Some(function) = given.log {
            log::set_sink(level, Some(log_sink(function, user_data)));
        }
        Ok(())
    })
}

fn system_proxy_defaults() -> nsws_system_proxy {
    nsws_system_proxy {
        struct_size: size_of::<nsws_system_proxy>(),
        host: std::ptr::null(),
        username: std::ptr::null(),
        password: std::ptr::null(),
        exclusion_list: std::ptr::null(),
        port: 0,
        mode: NSWS_PROXY_HTTP,
    }
}

/// # Safety
/// `proxy` is NULL or as [`read_struct`] demands; each text in it is NULL or NUL-terminated.
unsafe fn read_system_proxy(proxy: *const nsws_system_proxy) -> crate::error::Result<Option<Server>> {
    if proxy.is_null() {
        return Ok(None);
    }
    // SAFETY: as promised to this function.
    let given = unsafe { read_struct(proxy, system_proxy_defaults()) }?;
    // SAFETY: as promised to this function.
    let (host, username, password, list) = unsafe {
        (
            text(given.host, "host")?.unwrap_or_default(),
            text(given.username, "username")?,
            text(given.password, "password")?,
            text(given.exclusion_list, "exclusion_list")?.unwrap_or_default(),
        )
    };
    let wrong = |sentence| Error::call(Code::Parameter, sentence);
    let kind = match proxy_kind(given.mode) {
        Some(kind) => kind,
        None if given.mode == NSWS_PROXY_NONE => return Ok(None),
        None => return Err(wrong(format!("mode {} is unknown.", given.mode))),
    };
    if host.is_empty() {
        return Ok(None);
    }
    let exclusions = Exclusions::parse_leniently(list, Names::Exact);
    Server::new(kind, host, given.port, username, password, exclusions).map(Some).map_err(wrong)
}

fn defaults() -> nsws_platform {
    nsws_platform {
        struct_size: size_of::<nsws_platform>(),
        user_data: std::ptr::null_mut(),
        free_fn: None,
        has_internet_permission: None,
        is_host_allowed: None,
        get_system_proxy: None,
        trusts_user_ca: None,
        is_tv_device: None,
        log: None,
        log_level: NSWS_LOG_INFO,
        resolve: None,
    }
}

fn hooks(given: &nsws_platform, user_data: &Arc<UserData>) -> Hooks {
    let ask = |hook: nsws_ask_fn| {
        let user_data = user_data.clone();
        hook.map(|hook| -> Ask {
            // SAFETY: the caller gave the hook for this data.
            Box::new(move || unsafe { hook(user_data.get()) } != 0)
        })
    };
    let is_host_allowed = {
        let user_data = user_data.clone();
        given.is_host_allowed.map(|hook| -> AskAboutHost {
            Box::new(move |host, url| {
                // Neither holds a NUL, or the URL would have been refused. It may hold a password.
                let url = Zeroizing::new([url.as_bytes(), b"\0"].concat());
                let (Ok(host), Ok(url)) = (CString::new(host), CStr::from_bytes_with_nul(&url)) else {
                    return false;
                };
                // SAFETY: the caller gave the hook for these arguments.
                unsafe { hook(host.as_ptr(), url.as_ptr(), user_data.get()) != 0 }
            })
        })
    };
    let system_proxy = {
        let user_data = user_data.clone();
        given.get_system_proxy.map(|hook| -> AskForProxy {
            Box::new(move |url| {
                let mut answer = nsws_system_proxy_answer(Ok(None));
                // It has no NUL, or the URL would have been refused.
                let url = CString::new(url).map_err(|_| "The URL holds a NUL.".to_owned())?;
                // SAFETY: the caller gave the hook for these arguments; the answer lives until it returns.
                unsafe { hook(url.as_ptr(), &raw mut answer, user_data.get()) };
                answer.0
            })
        })
    };
    let resolve = {
        let user_data = user_data.clone();
        given.resolve.map(|hook| -> AskForAddresses {
            Box::new(move |host| {
                let mut answer = nsws_resolve_answer(Ok(None));
                // It has no NUL, or the URL would have been refused.
                let host = CString::new(host).map_err(|_| "the name holds a NUL".to_owned())?;
                // SAFETY: the caller gave the hook for these arguments; the answer lives until it returns.
                unsafe { hook(host.as_ptr(), &raw mut answer, user_data.get()) };
                answer.0
            })
        })
    };
    Hooks {
        has_internet_permission: ask(given.has_internet_permission),
        is_host_allowed,
        system_proxy,
        trusts_user_ca: ask(given.trusts_user_ca),
        is_tv_device: ask(given.is_tv_device),
        resolve,
    }
}
