//! What a `connect()` costs, and what established traffic does not: ratios against a baseline in the same run.

mod connect;
mod established;
mod mesh;

use anyhow::Result;
use clap::Parser;

/// Measures the cost of the data path against a baseline in the same run.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often the settings take turns
    #[arg(long, default_value_t = 200)]
    rounds: u32,
    /// Connections a setting makes in each of its turns
    #[arg(long, default_value_t = 200)]
    connects: u32,
    /// Messages on an established connection
    #[arg(long, default_value_t = 1_000_000)]
    messages: u32,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mesh = mesh::Mesh::new()?;
    println!("{}", established::measure(&mesh, arguments.messages)?);
    println!("{}", connect::measure(&mesh, arguments.rounds, arguments.connects)?);
    mesh.close()
}
