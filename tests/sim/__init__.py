"""The seeded simulation: real nodes, jobs, disk/ code and indexes over a simulated disk, network,
clock and worker pool, in one thread. One seed gives one run (I12).

    disk     inodes, which of their data is durable, and what a power cut leaves
    fs       Root, Directory and File of disk/fs/interface over such a disk; crashes at any call
    hands    a user's calls on such a disk
    watching what a watcher reports of such a disk
    node     one device: what the mesh on real files and the simulation have in common
    wires    connections and the messages under way on them
    world    devices, time, workers; everything that happens, in one order
    users    what users do, and what they could see when they did it
    faults   what goes wrong with devices and lines
    people   who is let into the folder and removed; acquaintance: whom a device lists
    rulers   users who ignore something; receivers, senders: a device that only receives, or only
             sends; choosers: what a device fetches; limiters: what may pass
    laws     I1 to I12 as checks; member_laws: what holds of members, epochs and held folders;
             kept_laws, receiving_laws, sending_laws, wanted_laws, limiting_laws: what holds there
    hostile  a paired device that obeys nothing; lies, sayings: its messages; siege: its world
    besieged a seed as a story with a hostile device
    plan     a seed as steps; shrink makes a failing plan small
"""
