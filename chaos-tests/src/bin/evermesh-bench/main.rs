//! What a `connect()` costs, and what established traffic does not: ratios against a baseline in the same run.

mod changes;
mod connect;
mod control_plane;
mod established;
mod fleet;
mod mesh;
mod scale;
mod time;

use anyhow::Result;
use clap::Parser;

/// Measures the cost of the data path against a baseline in the same run.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often the settings take turns
    #[arg(long, default_value_t = 800)]
    rounds: u32,
    /// Connections a setting makes in each of its turns
    #[arg(long, default_value_t = 50)]
    connects: u32,
    /// Messages on an established connection
    #[arg(long, default_value_t = 1_000_000)]
    messages: u32,
    /// Sizes of the meshes that are laid, in services of 20 endpoints, beside one of 10,000
    #[arg(long, value_delimiter = ',', default_values_t = [500, 5_000, 50_000])]
    services: Vec<u32>,
    /// Sizes of the meshes whose programs and tables are changed
    #[arg(long, value_delimiter = ',', default_values_t = [5_000])]
    changed: Vec<u32>,
    /// Numbers of workloads that a control plane is followed with, 20 behind each service
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000])]
    workloads: Vec<u32>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    println!("{}", scale::measure(&arguments.services)?);
    println!("changes of generation:\n{}", changes::measure(&arguments.changed)?);
    println!("following a control plane:\n{}", control_plane::measure(&arguments.workloads)?);
    let (few, many) = (arguments.services.iter().min(), arguments.services.iter().max());
    for (n, services) in few.into_iter().chain(many).enumerate() {
        let mesh = mesh::Mesh::new(*services)?;
        if n == 0 {
            println!("{}", established::measure(&mesh, arguments.messages)?);
        }
        println!(
            "beside {services} services:\n{}",
            connect::measure(&mesh, arguments.rounds, arguments.connects)?
        );
        mesh.close()?;
    }
    Ok(())
}
