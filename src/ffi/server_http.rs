//! Requests that aren't upgrades, and the program's answers.

use std::ffi::{c_char, c_void};
use std::mem::size_of;

use super::arguments::{bytes, c_text};
use super::call;
use super::handle::nsws_server;
use super::header::{nsws_header, read_headers, with_headers};
use super::listener::{nsws_free_fn, UserData};
use super::server::server;
use crate::error::{Code, Error};
use crate::server::{HttpAnswer, HttpHook, HttpRequest};

/// A request that isn't an upgrade, for nsws_http_fn. Its body isn't read.
/// @since 0.2
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_http_request {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// `GET`, `HEAD`, `POST` or another.
    pub method: *const c_char,
    /// Path and query, as the client wrote them.
    pub path: *const c_char,
    /// The client's IP address as text; as in nsws_connect_event.
    pub client_ip: *const c_char,
    /// The headers in the order of arrival, repeated names kept, names as the client wrote them.
    pub headers: *const nsws_header,
    /// How many headers there are.
    pub header_count: usize,
    /// The IP address that the link comes from; as in nsws_connect_event.
    pub link_ip: *const c_char,
    /// The client's port; 0 if a trusted proxy doesn't pass it on.
    pub client_port: u16,
    /// The port that the link comes from.
    pub link_port: u16,
}

/// Where nsws_http_fn puts its answer. It lives until the hook returns.
/// @since 0.2
#[allow(non_camel_case_types)]
pub struct nsws_http_answer(Option<HttpAnswer>);

/// Answers a request that isn't an upgrade, by calling nsws_http_answer_set(). A request that is not answered is
/// refused, as without a hook. The hook takes turns with the listeners of the server. Meanwhile the client
/// waits, at most for what is left of `handshake_timeout_ms`.
/// @since 0.2
#[allow(non_camel_case_types)]
pub type nsws_http_fn = Option<
    unsafe extern "C" fn(
        server: nsws_server,
        request: *const nsws_http_request,
        answer: *mut nsws_http_answer,
        user_data: *mut c_void,
    ),
>;

/// Sets the hook that answers requests that aren't upgrades: health checks that need more than `health_path` of
/// nsws_server_options, or a small page on the server's own port. This is no web server: an answer is small and
/// sent whole, and the link ends after it. Without a hook, such requests are refused with 426, 405 or 400.
///
/// Such requests count towards no limit and no ban; with a certificate, their TLS handshakes do. While the server's
/// callbacks lag so far behind that clients are refused with 503, these requests are refused as well, and the hook
/// isn't asked.
///
/// @param server the server
/// @param fn the hook; NULL: none
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails, or if
///        `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread. `fn` is called on threads of the library, in turn with the server's listeners.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_server_set_http_hook(
    server: nsws_server,
    r#fn: nsws_http_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let make = r#fn.map(|function| {
            move || -> HttpHook {
                let user_data = UserData::new(user_data, free_fn);
                Box::new(move |request: &HttpRequest| {
                    let mut answer = nsws_http_answer(None);
                    with_request(request, |request| {
                        // SAFETY: the caller gave the function for these arguments, which outlive the call.
                        unsafe { function(server, request, &raw mut answer, user_data.get()) }
                    });
                    answer.0
                })
            }
        });
        self::server(server)?.set_http_hook(make)
    })
}

fn with_request(request: &HttpRequest, call: impl FnOnce(*const nsws_http_request)) {
    let (method, path) = (c_text(request.method.as_str()), c_text(request.path.as_str()));
    let (ip, link_ip) = (c_text(request.peer.ip.to_string()), c_text(request.link.ip.to_string()));
    with_headers(&request.headers, |headers| {
        call(&nsws_http_request {
            struct_size: size_of::<nsws_http_request>(),
            method: method.as_ptr(),
            path: path.as_ptr(),
            client_ip: ip.as_ptr(),
            headers: headers.as_ptr(),
            header_count: headers.len(),
            link_ip: link_ip.as_ptr(),
            client_port: request.peer.port,
            link_port: request.link.port,
        });
    });
}

/// Gives the answer, within nsws_http_fn. If it is called more than once, the last answer counts.
///
/// @param answer as the hook received it
/// @param status the HTTP status, 200 to 599
/// @param headers the headers, copied; may be NULL if there are none. Names are tokens; values hold no control
///        characters. Headers that the library itself writes can't be set (`Content-Length`,
///        `Transfer-Encoding`, `Connection`, `Upgrade` and the like). Without a `Content-Type`, a body is
///        "text/plain; charset=utf-8".
/// @param header_count how many headers there are
/// @param body the body, copied; may be NULL if `body_length` is 0. In the answer to `HEAD`, it is left out.
/// @param body_length its length in bytes, at most 65536; 0 with the status 204, 205 or 304
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `answer` is NULL, or another argument breaks a rule above, and the
///         answer stays as it was; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note The thread that the hook runs on.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_http_answer_set(
    answer: *mut nsws_http_answer,
    status: u16,
    headers: *const nsws_header,
    header_count: usize,
    body: *const c_void,
    body_length: usize,
) -> i32 {
    call(|| {
        // SAFETY: NULL, or from the library, which waits for the hook to return.
        let answer = unsafe { answer.as_mut() };
        let answer = answer.ok_or_else(|| Error::call(Code::Parameter, "answer is NULL."))?;
        // SAFETY: the parameters' descriptions ask for it.
        let (headers, body) =
            unsafe { (read_headers(headers, header_count)?, bytes(body.cast(), body_length)?) };
        answer.0 = Some(HttpAnswer::new(status, headers, body.to_vec())?);
        Ok(())
    })
}
