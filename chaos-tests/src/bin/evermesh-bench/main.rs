//! What a `connect()` costs, and what established traffic does not: ratios against a baseline in the same run.

mod agent;
mod caller;
mod connect;
mod control_plane;
mod established;
mod figures;
mod fleet;
mod generation;
mod kinds;
mod lay;
mod machine;
mod mesh;
mod milestones;
mod restart;
mod scale;
mod time;
mod whole_agent;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use evermesh_chaos_tests::binaries;

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
    /// Numbers of workloads that a control plane is followed with, 20 behind each service
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000])]
    workloads: Vec<u32>,
    /// Sizes of the meshes whose programs and tables are changed, in services of 20 endpoints
    #[arg(long, value_delimiter = ',', default_values_t = [5_000])]
    changed: Vec<u32>,
    /// Changes of single workloads that each agent follows
    #[arg(long, default_value_t = 2_000)]
    changes: u32,
    /// So many of these changes a second [default: 0.5 to 60 ms between two, by chance]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    changes_a_second: Option<u32>,
    /// Programs of agents that are compared, side by side [default: that of this build]
    #[arg(long, value_delimiter = ',')]
    agents: Vec<PathBuf>,
    /// What is measured [default: everything]
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

/// Something that is measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A data plane that grows
    Scale,
    /// A model that is laid into new tables, which the data plane that grows does too
    Lay,
    /// Single changes, by what changes and how services are balanced
    Kinds,
    /// Agents that start over what stands
    Restart,
    /// Changes of generation
    Generation,
    /// A client of a control plane
    ControlPlane,
    /// Whole agents that follow a control plane
    WholeAgent,
    /// Connections, established and new
    Connect,
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn agents(&self) -> Result<Vec<PathBuf>> {
        Ok(match self.agents.is_empty() {
            true => vec![binaries::find("evermesh-agent")?],
            false => self.agents.clone(),
        })
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let Arguments { services, workloads, changes, changes_a_second, .. } = &arguments;
    if arguments.wants(Part::Scale) {
        println!("{}", scale::measure(services)?);
    }
    if arguments.only.contains(&Part::Lay) {
        println!("{}", lay::measure(services)?);
    }
    if arguments.wants(Part::Kinds) {
        println!("{}", kinds::measure()?);
    }
    if arguments.wants(Part::Restart) {
        println!("agents with a mesh from a file:\n{}", restart::measure(services)?);
    }
    if arguments.wants(Part::Generation) {
        println!("changes of generation:\n{}", generation::measure(&arguments.changed)?);
    }
    if arguments.wants(Part::ControlPlane) {
        println!("following a control plane:\n{}", control_plane::measure(workloads)?);
    }
    if arguments.wants(Part::WholeAgent) {
        let measured = whole_agent::measure(&arguments.agents()?, workloads, *changes, *changes_a_second)?;
        println!("a whole agent, one change:\n{measured}");
    }
    if arguments.wants(Part::Connect) {
        connections(&arguments)?;
    }
    Ok(())
}

fn connections(Arguments { services, messages, rounds, connects, .. }: &Arguments) -> Result<()> {
    let [few, many] = [services.iter().min(), services.iter().max()];
    let (Some(&few), Some(&many)) = (few, many) else { return Ok(()) };
    let meshes = [mesh::Mesh::new(few)?, mesh::Mesh::new(many)?];
    println!("{}", established::measure(&meshes[0], *messages)?);
    let both = [(few, &meshes[0]), (many, &meshes[1])];
    println!("{}", connect::measure(both, *rounds, *connects)?);
    meshes.into_iter().try_for_each(mesh::Mesh::close)
}
