//! The fake as a process of its own, on a port of 127.0.0.1: `fake-xero <port>`.

use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("usage: fake-xero <port>")?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
    Ok(fake_xero::serve(listener).await?)
}
